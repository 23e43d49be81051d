"""The report's page: sections to one self-contained HTML file."""

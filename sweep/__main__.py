"""`python -m sweep` and the console script."""

from sweep.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="collapse-sweep")


if __name__ == "__main__":
    main()

"""`python -m sweep` and the console script."""


def main() -> None:
    """Run the command line."""
    from sweep.cli import app

    app(prog_name="collapse-sweep")


if __name__ == "__main__":
    main()

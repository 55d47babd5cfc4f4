"""`python -m stability`, the same as `stability`."""

from stability.cli.app import main

if __name__ == "__main__":
    main()

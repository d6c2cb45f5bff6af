"""`python -m gatewright`: the command line where no script is on PATH."""

from gatewright.cli import main

if __name__ == "__main__":
    main()

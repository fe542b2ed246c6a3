"""`python -m spelunk`: the command line."""

from spelunk.agents.cli.main import main

if __name__ == "__main__":
    main()

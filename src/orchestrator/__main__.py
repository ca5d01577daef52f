"""Makes `python -m orchestrator` the same as the command `orchestrator`.

Must never do anything that the command does not.
"""

from orchestrator.cli import main

if __name__ == "__main__":
    main()

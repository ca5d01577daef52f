"""One module a command, each imported only when its command is asked for.

A module has `command`, the function that typer turns into options and arguments (its docstring is the help), or
`app` where the command has commands of its own; and `EXAMPLES`, the lines that its help teaches with. The package
owns nothing itself. Its modules must never import each other: what two commands share is a noun of its own.
"""

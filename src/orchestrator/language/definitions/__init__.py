"""What authors may write, as pydantic models: the whole language, each key with its description for editors.

Owns the shapes and the words that explain them. Must never look beyond one file.
"""

"""What people look at: a journey as a drawing, decisions as sentences, lengths and local times in words.

Owns the way from the model's values to text, so that the command line, failing examples and any screen show the same
thing in the same words: that is why it stands below all of them. Must never read a store, a clock or a file, nor
decide anything.
"""

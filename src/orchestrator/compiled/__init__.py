"""The plans of the engine, compiled: the commonest turns of a stream, from bytes to bytes, in Rust.

    program       a catalog's plans, written down for the compiled side
    expressions   an author's condition, as a list that it reads
    turns         the door: the turns of one partition, where the compiled side is there
    src/          the compiled side (`native`), built where there is a Rust compiler; for `runtime`, also who wakes
                  next, records as they are fetched, kept, waited for and passed on, and the batches that are sent

Owns no meaning of its own: whatever it does, `engine` does as well, byte for byte, and what it does not do is left to
it. Without a compiler everything works, at the speed of Python.
"""

"""Signs that come with what is pasted: spaces that do not break, what nobody sees, curly quotes.

Owns which they are. Where they may stand is others' to say.
"""

import re

# Looks like nothing at all.
UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff]")
# Looks like a space, or like nothing; to YAML and to conditions it is a letter.
NO_SPACE = re.compile("[\u00a0\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff]")
CURLY = "“”„‘’‚«»"

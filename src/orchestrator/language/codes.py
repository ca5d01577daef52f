"""Every code that a check of a project can end in: what it means, and what to do.

Owns the one table, which the reference is made from. A code never changes its meaning and is never used again for
another. Must never be consulted to find out what is wrong; the checks know.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """What a code means, and what its author does about it."""

    meaning: str
    fix: str


def _codes(*rows: tuple[str, str, str]) -> dict[str, Code]:
    return {code: Code(meaning, fix) for code, meaning, fix in rows}


FILES = _codes(
    ("E101", "The file is not YAML.", "Mend the syntax at this place; the hint names the usual cause."),
    ("E102", "The file is not in UTF-8.", "Save it as UTF-8."),
    ("E103", "A character that cannot be printed.", "Take it out."),
    ("E104", "A tab where YAML allows none.", "Indent with spaces."),
    ("E105", "The file is too large.", "Split it, or put long texts into files of their own."),
    ("E106", "Nested too deep.", "Use fewer levels; several journeys instead of one."),
    ("E107", "Too many values, aliases written out.", "Use fewer aliases."),
    ("E108", "A key stands twice in one map.", "Keep one of the two."),
    ("E109", "A key is not a text.", "Put the key in quotes; a value that begins with {{ needs quotes, too."),
    ("E110", "A number that is none, or is too large.", "Write a smaller one, or a text in quotes."),
    ("E111", "A tag (!name).", "Write the value without a tag."),
    ("E112", "A merge key (<<), which YAML 1.2 does not have.", "Write the keys out."),
    ("E113", "A second document in one file.", "Give it a file of its own."),
    ("E114", "The file is empty.", "Write at least the required keys, or delete the file."),
    ("E115", "An alias without an anchor before it, or inside itself.", "Write the value out."),
    ("E116", "A YAML version other than 1.2 is asked for.", "Take the %YAML line out."),
    ("E117", "A file that cannot be read.", "Look at its permissions."),
    ("E118", "The folder holds too many files.", "Name the project's own folder."),
    ("E120", "A key with a space that does not break, or a sign that is not seen.", "Type the line anew."),
    ("E119", "There is no orchestrator.yaml.", "Name the folder that holds it, or write one."),
)
SHAPES = _codes(
    ("E201", "A required key is missing.", "Add it."),
    ("E202", "An unknown key.", "Correct its spelling; anything of your own goes under meta."),
    ("E203", "The value is of the wrong kind.", "Write what was expected; texts that look like numbers need quotes."),
    ("E204", "The value is not one of those allowed.", "Choose one of them."),
    ("E205", "A number out of its range.", "Choose one inside it."),
    ("E206", "An id or name of the wrong form.", "Lower-case words with dashes, such as abandoned-cart."),
    ("E207", "Nothing stands there, or too little.", "Write a value, or leave the key out."),
    ("E208", "The text is too long.", "Shorten it."),
    ("E210", "No length of time.", "Write 30s, 10m, 1h, 2d, 1w or combine them: 1d12h."),
    ("E211", "No time of day.", 'Write hours and minutes: "09:00".'),
    ("E212", "No weekday.", "Write one of mon, tue, wed, thu, fri, sat, sun."),
    ("E213", "No local date and time.", 'Write it as "2026-03-02T20:45".'),
    ("E214", "No percentage.", "Write a number from 0 to 100 with a percent sign: 5%."),
    ("E215", "No time zone.", "Write one such as Europe/Madrid."),
    ("E216", "No language tag.", "Write one such as es or es-MX."),
    ("E217", "No number of calendar days.", "Write one such as -3d or 2w."),
    ("E220", "A step without a verb.", "Give it one, such as wait or send."),
    ("E221", "An unknown verb.", "Correct its spelling."),
    ("E222", "A step with two verbs.", "Make them two steps."),
    ("E223", "`then` or `on_timeout` where there is nothing to wait for.", "Put those steps after this one."),
    ("E224", "A rule without a trigger, or with several.", "Give it exactly one; several rules make a list."),
    ("E225", "Keys that exclude or need each other.", "Leave one out, or add the other."),
    ("E226", "A branch of choose without a condition, or `else` before the end.", "if with then, and else at the end."),
    ("E227", "The shares of a split do not sum to 100.", "Correct the shares; a branch may do nothing."),
    ("E228", "A name that stands twice.", "Give one of them another name."),
    ("E229", "`set` of something that is no field of the profile.", "Write profile.NAME."),
    (
        "E230",
        "`emit` of an event that only the outside world or the engine may speak of.",
        "Name an event of your own.",
    ),
    ("E231", "`then` or `on_timeout` beside a handoff that does not wait.", "until: closed, in the handoff."),
    ("E232", "An example in which something happens before its start.", "Begin earlier, by start."),
)
REFERENCES = _codes(
    ("E301", "Two steps with one id.", "Give one of them another id."),
    ("E302", "Two journeys with one id.", "Give one of them another id."),
    ("E303", "Two messages with one id.", "Give one of them another id."),
    ("E304", "An unknown message.", "Correct the id, or write messages/ID.message.yaml."),
    ("E305", "An unknown channel.", "Correct the name, or add it to orchestrator.yaml."),
    ("E306", "An unknown purpose.", "Correct the name, or add it to orchestrator.yaml."),
    ("E307", "A channel that the message has no content for.", "Write the content, or take the channel out."),
    ("E308", "A send without a purpose.", "Give the journey, the message or the send one."),
    ("E309", "A message without content for any channel.", "Write content for one."),
    ("E310", "A file that is not there.", "Put it beside the message."),
    ("E311", "An unknown journey.", "Correct the id."),
    ("E312", "An unknown step in an example.", "Correct the id."),
    ("E313", "An unknown branch or identifier.", "Correct the name."),
    ("E314", "Content without what the channel needs.", "Add a body; an e-mail needs a subject too."),
    ("E315", "Content in another language only.", "Write it at the top level, in the project's first language."),
    ("E316", "A file outside of the project.", "Put it beside the message."),
    ("E317", "An unknown team, skill, webhook, model or catalog.", "Correct the name, or add it to orchestrator.yaml."),
    ("E321", "A model whose settings make no scorer.", "Write what its kind needs, and nothing that it does not read."),
    ("E322", "A catalog whose file is no table, one row for each key.", "Correct the file, or name its key."),
    ("E324", "A coupon whose file holds no codes.", "Write one code a line, or a .csv file with the column code."),
    ("E325", "A code that stands twice.", "Take one of them out: each code is given to one person."),
    ("E326", "A code that is too long, or holds a space or a sign that cannot be printed.", "Write one code a line."),
    ("E330", "An unknown segment.", "Correct the name, or add it to segments.yaml."),
    ("E331", "A segment that asks for itself, by way of others.", "Write a condition that does not."),
    ("E319", "A text that is too long for its channel.", "Shorten it."),
    ("E320", "`moves` to a step that the journey does not have.", "Correct the id."),
    ("E323", "A change that may not be published like this.", "Write a higher version, or moves for who is inside."),
)
EXPRESSIONS = _codes(
    ("E401", "The expression cannot be read.", "Write it as in total >= 30 and currency == 'EUR'."),
    ("E402", "Something that expressions do not have.", "Use comparisons, and, or, not, + - * / and the functions."),
    ("E403", "An unknown function.", "Correct its name."),
    ("E404", "A function with the wrong number of values.", "Give it as many as it takes."),
    ("E405", "A bare name outside of `where`.", "Write entry.NAME or profile.NAME, or a text in quotes: \"'gold'\"."),
    ("E406", "A name that means nothing in this place.", "Use what is known here."),
    ("E407", "Something that the event, the entry or the profile does not have.", "Correct the name."),
    ("E408", "An unknown step.", "Correct the id; a dash is written as an underscore."),
    ("E409", "A result that this verb does not leave.", "Use one that it leaves."),
    ("E410", "The expression is too large.", "Split it, with choose or set."),
    ("E411", "A comparison with None, which is never true.", "Ask with exists(...)."),
    ("E412", "A segment reckons with time otherwise than by comparing it.", "Compare it: days_since(x) > 30."),
    ("E413", "A function is not told what it must know beforehand.", "Write it out, in quotes: within='30d'."),
)
TEMPLATES = _codes(
    ("E501", "The template cannot be read.", "Mend the Liquid at this place."),
    ("E502", "A name that no template has.", "Begin with profile, entry, steps, event, data, brand, links or coupon."),
    ("E503", "An unknown filter.", "Correct its name."),
    (
        "E504",
        "A step that a journey which sends this message does not have.",
        "Correct the id, or send another message.",
    ),
    ("E505", "A result that this verb does not leave.", "Use one that it leaves."),
    (
        "E506",
        "Something that the brand, the links, the event, a catalog or the coupons do not have.",
        "Correct the name.",
    ),
    ("E507", "A tag that reads another template.", "Write the text itself."),
    ("E508", "The template is too large.", "Shorten it."),
    ("E509", "Data that no send gives.", "Give it: send: {message: ..., data: {NAME: ...}}."),
)
DOUBTS = _codes(
    ("W301", "A step without an id; the derived one moves when steps are inserted.", "Give it an id."),
    ("W302", "A step that nobody ever comes to.", "Move it before the exit, or delete it."),
    ("W303", "A message that no journey sends.", "Send it, or delete it."),
    ("W304", "A message that is not written in one of the project's languages.", "Write it under languages."),
    ("W305", "Content for a channel that the project does not have.", "Add the channel, or delete the content."),
    ("W306", "A live journey without examples.", "Write one; it is the journey's test."),
    ("W307", "A journey without steps.", "Add some."),
    ("W308", "A YAML file that is not read, because its name says neither what.", "Rename it to NAME.journey.yaml."),
    ("W309", "A message reads data that this send does not give.", "Give it, or let the template have a default."),
    ("W310", "A picture in an e-mail without words for who cannot see it.", 'Give it alt="...", empty for decoration.'),
    ("W311", "An e-mail whose footer has no postal address.", "Write brand: {address: ...} in orchestrator.yaml."),
    ("W313", "A first version that drains: nobody ever enters.", "Leave on_change out."),
    ("W312", "A rule that lets in without a key, in a journey that has one: nobody enters by it.", "Take the key out."),
    ("W314", "A case is waited for without an end.", "Write within, and on_timeout for when nobody closes it."),
    ("W315", "A handoff that does not wait says how long.", "until: closed, or no within."),
    ("W316", "A survey that nobody is shown the way to.", "Write {{ links.survey }} into the message."),
    ("W317", "What other tools put a value in for, and we send as it stands.", "Write {{ profile.first_name }}."),
    ("W318", "An example that expects nothing, so that it cannot fail.", "Write what it should come to."),
    ("W319", "Quiet hours that never end: what they hold is never sent.", "Leave some of the week out."),
    (
        "W320",
        "An entry that comes every week or year, and lets each customer in once.",
        "Write again: after_exit, or again: once where that is meant.",
    ),
    (
        "W321",
        "A step waits for an event that ends the entry before the step sees it.",
        "Give the exit rule or the goal a where, or wait for something else.",
    ),
    (
        "W322",
        "A link to confirm, and nothing says which purpose it confirms.",
        "Name it in the send: data: {confirms: \"'newsletter'\"}.",
    ),
    (
        "W323",
        "A step asks for opens or clicks of e-mails that nobody measures.",
        "Write track: [clicks, opens] at the channel in orchestrator.yaml.",
    ),
    ("W324", "An e-mail in two kinds of markup, of which one is sent.", "Keep html, mjml or markdown."),
    ("W325", "MJML that cannot be read: the e-mail would never leave.", "Close every tag, and quote attributes."),
    ("W401", "`not` of a comparison, which lets a missing value pass.", "Write the opposite comparison."),
    ("W402", "A name with a dash, which is a subtraction.", "Write `_` for the dash, or spaces around the minus."),
    ("W403", "A comparison with a value that can never be.", "Write one that it may be, or of its kind."),
    ("W404", "A word without quotes, which is a property of the event.", "Put it in quotes: country == 'ES'."),
    ("W405", "Arithmetic with `now`, which is always missing.", "Use days_since(...) or hours_since(...)."),
    ("W406", "A step that nobody can have passed yet.", "Name one that comes before."),
    ("W407", "A property that no example gives, nearly like one that some do.", "Correct its spelling, or give it."),
    ("W408", "A text or number beside `or` or `and`, which asks nothing.", "Write country in ['ES', 'PT']."),
    (
        "W409",
        "A number compared with a text, as the examples give them.",
        "Write it with or without quotes, as they do.",
    ),
    ("W410", "An event in an example that no journey asks for, nearly like one of its own.", "Correct its spelling."),
    ("W411", "A condition that names nothing: 'total' == 4, exists('total').", "Write a name without quotes."),
)
CODES = {**FILES, **SHAPES, **REFERENCES, **EXPRESSIONS, **TEMPLATES, **DOUBTS}

"""Generated question/passage pairs about small facts: policies, prices, limits, contacts, hours.

Each fact has several wordings of the passage and several of the question, which share little beyond
what is asked about; the thing asked about is made of words drawn at random. Hard negatives are the
same fact about something else and another fact about the same thing, so that both have to be read.
"""

ROLES = """team lead,department head,finance director,office manager,safety officer,line manager,
head of sales,chief engineer,payroll clerk,data protection officer,facility manager,project owner,
works council,purchasing desk,help desk,board secretary,fleet manager,duty nurse,shift supervisor,
legal counsel,training coordinator,warehouse manager,head librarian,quality manager""".replace("\n", "").split(",")
UNITS = ["days", "hours", "weeks", "months", "minutes", "years"]
MONEY = ["EUR", "USD", "euros", "dollars", "pounds", "CHF"]
MONTHS = """January February March April May June July August September October November
December""".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = "red blue green white black silver yellow orange grey purple".split()
PLACES = """Lyon Porto Gdansk Turin Bergen Basel Ghent Malmo Seville Leeds Oslo Riga Split Graz Brno Cork
Bilbao Utrecht Dresden Nantes Osaka Perth Quito Lima Accra Dakar Boston Denver""".split()
NOUNS = """laptop,monitor,desk chair,phone,headset,parking space,badge,locker,company bike,car,printer,
meeting room,projector,tool set,drill,forklift,safety shoes,uniform,software licence,training course,
conference,hotel room,train ticket,flight,taxi ride,lunch,dinner with guests,internet connection,
electricity,coffee machine,fridge,storage room,archive,server,backup,password,account,invoice,receipt,
order,contract,visitor,intern,guest,membership,subscription,course fee,relocation,medical check,
vaccination,eye test,glasses,overtime,night shift,parental leave,sick leave,vacation,sabbatical,
unpaid leave,remote work,business trip,expense report,refund,deposit,rental,delivery,repair,
inspection,fire drill,first aid kit,alarm system,key card,mail,parcel""".replace("\n", "").split(",")

# (kind, passages, questions); {e} the thing, the rest as `fill` draws them.
FACTS = [
    ("approve",
     ["Requests for {e} above {m} must be signed off by the {r}.", "{E} costing more than {m} needs the consent of the {r}.",
      "The {r} approves every {e} over {m}.", "For {e}, spending beyond {m} is authorised by the {r} only."],
     ["Who approves {e} over {m}?", "Who has to sign off {e} above {m}?", "Whose permission do I need for {e} of more than {m}?",
      "Who authorises expensive {e}?", "approval {e}", "Which person must agree to {e}?"]),
    ("limit",
     ["The maximum for {e} is {m} per {t}.", "We reimburse {e} up to {m} a {t}.", "{E} is capped at {m} per {t}.",
      "No more than {m} per {t} may be spent on {e}."],
     ["What is the limit for {e} per {t}?", "How much may I spend on {e}?", "What is the most we pay for {e} each {t}?",
      "{e} maximum amount", "Up to what sum is {e} refunded?", "How expensive may {e} be?"]),
    ("price",
     ["A {e} costs {m}.", "The price of {e} is {m} including tax.", "{E}: {m} each.", "We charge {m} for {e}."],
     ["How much does {e} cost?", "What is the price of {e}?", "What do we pay for {e}?", "{e} price", "What does a {e} cost?",
      "What is the fee for {e}?"]),
    ("deadline",
     ["{E} must be handed in within {n} {u}.", "Submit {e} no later than {n} {u} after the event.",
      "The deadline for {e} is {n} {u}.", "Claims for {e} expire after {n} {u}."],
     ["How long do I have to hand in {e}?", "What is the deadline for {e}?", "By when must {e} be submitted?",
      "When does a claim for {e} expire?", "{e} deadline", "How many {u} do I have for {e}?"]),
    ("allowance",
     ["Every employee gets {n} {u} of {e} a year.", "Staff are entitled to {n} {u} of {e} per year.",
      "{E}: {n} {u} for full-time employees.", "The yearly entitlement for {e} amounts to {n} {u}."],
     ["How many {u} of {e} do I get?", "How much {e} am I entitled to?", "What is the allowance for {e}?",
      "How many {u} of {e} per year?", "{e} entitlement", "How long is {e}?"]),
    ("contact",
     ["Questions about {e} go to {p} in room {n}.", "{p} is responsible for {e}.", "Contact {p} if there is a problem with {e}.",
      "{p} looks after {e} and can be reached at extension {n}."],
     ["Who is responsible for {e}?", "Whom do I ask about {e}?", "Who looks after {e}?", "contact person {e}",
      "Who can help me with {e}?", "Where do I get help with {e}?"]),
    ("phone",
     ["Call {k} to report trouble with {e}.", "The hotline for {e} is {k}.", "{E}: dial {k} at any time."],
     ["What number do I call about {e}?", "What is the phone number for {e}?", "How do I reach the {e} hotline?", "{e} telephone"]),
    ("hours",
     ["{E} is open from {h} to {i} on {w}.", "Opening hours of {e}: {w}, {h} to {i}.", "You can use {e} between {h} and {i}."],
     ["When is {e} open?", "What are the opening hours of {e}?", "At what time does {e} close?", "{e} hours", "When can I use {e}?"]),
    ("place",
     ["{E} is kept on floor {n} next to the stairs.", "You find {e} in building {x}.", "{E} is located at the {l} site.",
      "Our {e} is in {l}."],
     ["Where is {e}?", "Where can I find {e}?", "In which building is {e}?", "location of {e}", "On which floor is {e}?"]),
    ("start",
     ["{E} begins on {d}.", "The new {e} takes effect on {d}.", "From {d} on, {e} applies to everybody.", "{E} was introduced on {d}."],
     ["When does {e} start?", "Since when does {e} apply?", "On what date was {e} introduced?", "{e} start date", "When does {e} take effect?"]),
    ("frequency",
     ["{E} must be changed every {n} {u}.", "We check {e} once every {n} {u}.", "{E} is serviced at intervals of {n} {u}."],
     ["How often must {e} be changed?", "How often is {e} checked?", "At what interval is {e} serviced?", "{e} how often", "How frequently is {e} inspected?"]),
    ("keep",
     ["{E} is kept for {n} {u} and then destroyed.", "We store {e} for {n} {u}.", "Records of {e} are deleted after {n} {u}."],
     ["How long do we keep {e}?", "When is {e} deleted?", "What is the retention period of {e}?", "How long is {e} stored?"]),
    ("notice",
     ["Tell the {r} {n} {u} in advance if you want {e}.", "{E} has to be booked {n} {u} ahead with the {r}.",
      "Please announce {e} to the {r} at least {n} {u} before."],
     ["How far ahead must I book {e}?", "How much notice is needed for {e}?", "How early do I have to ask for {e}?", "advance notice {e}"]),
    ("ban",
     ["{E} is not allowed in {l}.", "It is forbidden to use {e} in {l}.", "Nobody may bring {e} to the {l} site."],
     ["Is {e} allowed?", "May I use {e} in {l}?", "Where is {e} forbidden?", "Am I permitted to bring {e}?", "rules for {e}"]),
    ("lost",
     ["If {e} is lost, tell the {r} at once.", "A missing {e} has to be reported to the {r} within {n} {u}.",
      "Report theft of {e} to the {r}."],
     ["What do I do if {e} is stolen?", "I lost my {e}, who needs to know?", "To whom do I report a missing {e}?", "lost {e}"]),
    ("minimum",
     ["{E} needs at least {n} characters or more.", "The minimum for {e} is {n}.", "{E} must have no fewer than {n} items."],
     ["What is the minimum for {e}?", "How long must {e} be?", "How many are required for {e}?", "{e} at least"]),
    ("colour",
     ["The {e} is {c}.", "All {e} are painted {c}.", "You recognise {e} by its {c} sticker."],
     ["What colour is {e}?", "How do I recognise {e}?", "{e} colour"]),
    ("supplier",
     ["We buy {e} from {s}.", "{s} delivers {e} to all sites.", "The supplier of {e} is {s}."],
     ["Who supplies {e}?", "Where do we buy {e}?", "Which company delivers {e}?", "{e} supplier"]),
    ("count",
     ["There are {n} units of {e} in stock in {l}.", "{l} has {n} pieces of {e}.", "Stock of {e}: {n}."],
     ["How many {e} do we have?", "How much {e} is in stock?", "What is the stock of {e}?", "number of {e}"]),
    ("table",
     ["item: {e}; price: {m}; approval: {r}; delivery: {n} {u}.", "name: {e}, cost: {m}, owner: {p}, place: {l}."],
     ["How much is {e}?", "What does {e} cost?", "Who owns {e}?", "price of {e}", "Tell me about {e}."]),
]


def _name(rng, words):
    return f"{rng.choice(words).capitalize()} {rng.choice(words).capitalize()}"


def _thing(rng, words):
    """What a fact is about: a plain noun, one with a random qualifier, or random words."""
    shape = rng.random()
    if shape < 0.3:
        return rng.choice(NOUNS)
    if shape < 0.5:
        return f"{rng.choice(NOUNS)} in {rng.choice(PLACES)}"
    if shape < 0.7:
        return f"{rng.choice(words)} {rng.choice(NOUNS)}"
    if shape < 0.85:
        return f"{rng.choice(words)} {rng.choice(words)}"
    return f"{rng.choice(words).capitalize()} {rng.choice(NOUNS)}"


def _slots(rng, words, thing):
    hour = rng.randint(5, 12)
    money = rng.choice([rng.randint(2, 99), rng.randint(10, 99) * 10, rng.randint(1, 99) * 500])
    return {
        "e": thing, "E": thing[0].upper() + thing[1:],
        "m": f"{money:,} {rng.choice(MONEY)}", "n": str(rng.randint(2, 60)), "u": rng.choice(UNITS),
        "t": rng.choice(["day", "night", "month", "year", "person", "week", "trip"]),
        "r": rng.choice(ROLES), "p": _name(rng, words), "l": rng.choice(PLACES),
        "d": f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1995, 2030)}",
        "h": f"{hour}:{rng.choice(['00', '15', '30', '45'])}", "i": f"{hour + rng.randint(3, 10)}:00",
        "w": rng.choice(WEEKDAYS), "x": rng.choice("ABCDEFGH"), "c": rng.choice(COLOURS),
        "k": f"{rng.randint(200, 999)} {rng.randint(1000, 9999)}",
        "s": f"{rng.choice(words).capitalize()} {rng.choice(['Ltd', 'GmbH', 'Supplies', 'Group', 'and Sons'])}",
    }


def _sentence(rng, fact, slots):
    return rng.choice(fact[1]).format(**slots)


def _passage(rng, words, sentence):
    """The sentence among up to two facts about other things, in any order."""
    sentences = [sentence]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        sentences.append(_sentence(rng, rng.choice(FACTS), _slots(rng, words, _thing(rng, words))))
    rng.shuffle(sentences)
    return " ".join(sentences)


def generate(count, words, rng):
    """`count` rows {source, title, query, text, negatives, held_out}; held_out is by question form."""
    rows = []
    while len(rows) < count:
        fact = rng.choice(FACTS)
        thing = _thing(rng, words)
        slots = _slots(rng, words, thing)
        query = rng.choice(fact[2]).format(**slots)
        if rng.random() < 0.2:
            query = query.lower()
        other_thing = _thing(rng, words)
        same_fact = _sentence(rng, fact, _slots(rng, words, other_thing))
        other_fact = rng.choice([f for f in FACTS if f[0] not in (fact[0], "table")])
        same_thing = _sentence(rng, other_fact, _slots(rng, words, thing))
        rows.append({
            "source": "policy", "title": "", "query": query,
            "text": _passage(rng, words, _sentence(rng, fact, slots)),
            "negatives": [_passage(rng, words, same_fact), _passage(rng, words, same_thing)],
            "held_out": rng.random() < 0.02,
        })
    return rows

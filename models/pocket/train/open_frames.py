"""More frames of facts.py's kind, whose subjects, attributes and verbs are open vocabulary."""

import words as w

ATTRIBUTES = """serial number|deadline|limit|size|owner|status|length|height|width|age|voltage|rating|score|language|licence|author|
capacity|minimum age|maximum load|frequency|address|room number|code name|motto|origin|successor|deputy|material|taste|nickname|
order number|target|duration|currency|interest rate|delivery date|test result|main supplier|opening year|storage class|safety class"""
ATTRIBUTES = [" ".join(a.split()) for a in ATTRIBUTES.split("|")]
SVO = """requires require|contains contain|uses use|supports support|replaces replace|produces produce|includes include|sells sell|
offers offer|repairs repair|teaches teach|checks check|collects collect|delivers deliver|manages manage|owns own|builds build|
tests test|trains train|stores store|protects protect|covers cover|prints print|records record|measures measure|cleans clean|
carries carry|cooks cook|designs design|imports import|exports export|publishes publish|sponsors sponsor|studies study|paints paint|
ships ship|packs pack|rents rent|hosts host|monitors monitor|controls control|heats heat|cools cool|recycles recycle|grows grow"""
SVO = [tuple(v.split()) for v in SVO.split("|")]
CONDITIONS = """the {a} is broken|the {a} does not work|you lose your {a}|the alarm rings|you are ill|you are late|a {x} leaks|there is a fire|
the power fails|a visitor arrives early|the {x} is blocked|you find a {x}|the door stays shut|your {a} is stolen|the {x} smells of smoke|
you forget your password|you see a stranger in the {p}|the {p} is full|a parcel is damaged|the lift stops|water enters the {p}|the {x} turns red|
somebody is hurt|you leave the company|your name changes|a customer complains|the {a} gets hot|the heating fails|you need help with the {a}"""
CONDITIONS = [" ".join(c.split()) for c in CONDITIONS.split("|")]
ACTIONS = """call {r}|tell {r} at once|leave through the {p}|press the {c} button|write to {e}|wait for {r}|fill in form {k}|turn off the {a}|
go to the {p}|bring it to {r}|ask {r} for a new one|close the {p}|dial {k}|use the spare {a}|meet at the {p}|send a note to {e}|keep it in the {p}|
take a photo and call {r}|unplug the {a}|put a {c} label on it"""
ACTIONS = [" ".join(c.split()) for c in ACTIONS.split("|")]
DEEDS = """enter the {p}|borrow a {a}|use the {a}|open the {x} box|rent a {a}|get a refund|book the {p}|drive the {x} truck|join the {x} club|
change your address|order a {a}|leave the {p} early|work in the {p}|install the {x} program|send a {x} parcel|see the {x} files|bring a guest|
travel abroad|take unpaid leave|park at the {p}|take the {x} exam|use the {x} line|log in from home|repair a {a}|move to another desk"""
DEEDS = [" ".join(c.split()) for c in DEEDS.split("|")]
NEEDS = ["a signed form", "a {a}", "form {k}", "the approval of {r}", "a {x} permit", "a {c} badge", "a letter from {r}", "a code from {r}", "a valid {x} card", "two days of training"]
GOODS = "parts|spare parts|boxes|pumps|cables|coffee|paper|software|seeds|tiles|bread|glass|wool|paint|furniture|tools|games|maps|lamps|shoes"
GOODS = GOODS.split("|")


def frames(f):
    """The frames; f is the facts module, whose generators they use."""

    def subject(rng):
        return rng.choice([f.thing, f.thing, lambda r: "the " + f.asset(r), lambda r: "the " + f.place(r), f.project, lambda r: w.person(r),
                           lambda r: f"the {w.word(r)} {rng.choice(['plan', 'system', 'line', 'team', 'room', 'program', 'club', 'series', 'model'])}"])(rng)

    def attribute(rng):
        return rng.choice(ATTRIBUTES) if rng.random() < 0.55 else w.word(rng)

    def anything(rng):
        return rng.choice([w.word, w.code, w.money, f.span, w.date, w.person, w.city, w.product, lambda r: str(r.randint(2, 999)), lambda r: w.phrase(r, 1, 3)])(rng)

    def object_(rng):
        return rng.choice([lambda r: r.choice(GOODS), lambda r: f"{w.word(r)} {r.choice(GOODS)}", lambda r: w.product(r), lambda r: f"the {w.word(r)} {r.choice(['data', 'rooms', 'parts', 'team', 'files', 'area'])}"])(rng)

    def filled(bank):
        def make(rng):
            return rng.choice(bank).format(a=f.asset(rng), x=w.word(rng), p=f.place(rng), r=f.role(rng), c=rng.choice(f.COLOURS), e=w.email(rng), k=w.code(rng))
        return make

    def lodging(rng):
        return rng.choice([("hotels", "hotel limit", "night", "nights"), ("hotel rooms", "hotel limit", "night", "nights"), ("meals", "meal limit", "day", "days"), ("taxis", "taxi limit", "trip", "trips"),
                           ("rental cars", "rental car limit", "day", "days"), ("flats", "flat limit", "month", "months"), ("lunches", "lunch limit", "person", "people"), ("desks", "desk limit", "day", "days")])

    n, cur, city, group = f.amount_number, f.currency, w.city, f.group
    cities = dict(l=lodging, city=city, n=n, cur=cur, c2=city, c3=city, n2=n, n3=n)
    city_q = ["What is the {l.1} in {city}?", "What is the {l.1} per {l.2} in {city}?", "How much may {l.0} cost in {city}?", "How high is the {l.1} for {city}?", "What is the limit for {l.0} in {city}?",
              "How much can I spend on {l.0} in {city}?", "Up to which price are {l.0} paid in {city}?"]
    city_c = [("What is the {l.1} per {l.2} in {city}", "and what do {k} {l.3} cost?", "*"), ("What is the {l.1} in {city}", "and how much is it for {k} {l.3}?", "*"), ("How much may {l.0} cost in {city}", "and what do {k} {l.3} come to?", "*"),
              ("What do {k} {l.3} cost at the {l.1} in {city}?", "", "*"), ("How much can I spend on {l.0} for {k} {l.3} in {city}?", "", "*"), ("What is the {l.1} per {l.2} in {city}", "and what do {k} {l.3} cost?", "*")]
    leave_q = ["How many {leave} do I get?", "How many {leave} do I have per year?", "How many {leave} do employees have?", "How many {leave} does an employee get?", "How many {leave} are there per year?", "How many {leave} do we get each year?",
               "How many {leave} do employees get per year?"]
    return [
        dict(s=["The {a} of {x} is {v}.", "{x} has the {a} {v}.", "{v} is the {a} of {x}.", "For {x} the {a} is {v}.", "The {a} for {x} was set to {v}."],
             q=["What is the {a} of {x}?", "Which {a} does {x} have?", "What {a} does {x} have?", "What is the {a} for {x}?", "Tell me the {a} of {x}."],
             slots=dict(a=attribute, x=subject, v=anything), weight=4),
        dict(s=["{x} {v.0} {o}.", "{x} also {v.0} {o}.", "In {city}, {x} {v.0} {o}.", "{x} {v.0} {o} for {g}.", "Since {year}, {x} {v.0} {o}."],
             q=["What does {x} {v.1}?", "Who {v.0} {o}?", "What {v.0} {o}?", "Which things does {x} {v.1}?", "Does {x} {v.1} {o}?"],
             slots=dict(x=subject, v=f.pick(SVO), o=object_, city=city, g=group, year=lambda r: str(r.randint(1950, 2025))), weight=3),
        dict(s=["If {c}, {a}.", "When {c}, {a}.", "{A} if {c}.", "Always {a} when {c}.", "In case {c}, please {a}."],
             q=["What do I do if {c}?", "What should I do when {c}?", "What must I do if {c}?", "What happens if {c}?", "What is the rule when {c}?", "How do I react if {c}?"],
             slots=dict(c=filled(CONDITIONS), a=filled(ACTIONS)), weight=2),
        dict(s=["To {d}, you need {x}.", "You need {x} to {d}.", "Anyone who wants to {d} must have {x}.", "{X} is needed to {d}.", "Only people with {x} may {d}."],
             q=["What do I need to {d}?", "What is needed to {d}?", "What must I have to {d}?", "How can I {d}?", "Which document do I need to {d}?", "May I {d}?"],
             slots=dict(d=filled(DEEDS), x=filled(NEEDS)), weight=2),
        dict(s=["{Group} may use the {p} after {t}.", "After {t}, {group} may use the {p}.", "The {p} is reserved for {group} until {t}.", "{Group} can enter the {p} from {t} on."],
             q=["When may {group} use the {p}?", "Who may use the {p}?", "From when can {group} use the {p}?", "Until when is the {p} reserved?", "Can {group} use the {p}?"],
             slots=dict(group=group, p=f.place, t=w.clock)),
        dict(s=["The distance from {c1} to {c2} is {n} km.", "{c1} is {n} km away from {c2}.", "From {c1} to {c2} it is {n} km.", "{n} km lie between {c1} and {c2}."],
             q=["How far is it from {c1} to {c2}?", "What is the distance from {c1} to {c2}?", "How far is {c1} from {c2}?", "How many km are there between {c1} and {c2}?"],
             slots=dict(c1=city, c2=city, n=n), number="n",
             c=[("How far is it from {c1} to {c2}", "and how far are {k} such trips?", "*"), ("What is the distance from {c1} to {c2}", "and {k} times that?", "*")]),
        dict(s=["{Group} earn {n} {cur} per hour.", "The hourly pay of {group} is {n} {cur}.", "We pay {group} {n} {cur} per hour.", "An hour of work by {group} costs {n} {cur}."],
             q=["How much do {group} earn per hour?", "What do {group} earn?", "What is the hourly pay of {group}?", "How much are {group} paid?"],
             slots=dict(group=group, n=f.small_number, cur=cur), number="n",
             c=[("How much do {group} earn per hour", "and how much in {k} hours?", "*"), ("What do {group} earn in {k} hours?", "", "*"), ("What is the hourly pay of {group}", "and what do {k} hours cost?", "*"), ("What is the hourly pay of {group} plus {k} {cur}?", "", "+")]),
        dict(s=["The company pays {n} percent of {x}.", "{n} percent of {x} are paid by the company.", "We cover {n} percent of {x}.", "For {x}, {n} percent are refunded."],
             q=["How much of {x} does the company pay?", "What share of {x} is paid?", "How many percent of {x} are refunded?", "What part of {x} do we cover?"],
             slots=dict(x=lambda r: r.choice(["train tickets", "course fees", "glasses", "gym fees", "child care", "bus passes", "moving costs", "language lessons", "parking", "phone bills", "books", "bicycles", "lunch", w.word(r) + " costs"]), n=f.small_number)),
        dict(s=["The {task} starts at {t} in the {p}.", "The {task} begins at {t}.", "At {t} the {task} begins in the {p}.", "We meet for the {task} at {t} in the {p}.", "The {task} is held in the {p} at {t}."],
             q=["When does the {task} start?", "Where is the {task}?", "At what time does the {task} begin?", "Where do we meet for the {task}?", "What time is the {task}?"],
             slots=dict(task=f.task, t=w.clock, p=f.place)),
        dict(s=["Every employee gets {n} {leave} per year.", "All employees have {n} {leave} per calendar year.", "Employees are entitled to {n} {leave} per year.", "The company gives {n} {leave} per year.", "Each year brings {n} {leave} for everybody.",
                "We grant {n} {leave} per year.", "There are {n} {leave} per year."],
             q=leave_q, slots=dict(n=f.small_number, leave=f.pick(f.LEAVES)), number="n", weight=2,
             c=[("How many {leave} do I get", "and how many are left after {k}?", "-"), ("How many {leave} do I have left after {k}?", "", "-"), ("How many {leave} are left if I took {k}?", "", "-"), ("How many {leave} do employees get", "and how many remain after {k} days?", "-"),
                ("How many {leave} do I get in {k} years?", "", "*"), ("I have used {k} {leave}. How many are left?", "", "-")]),
        dict(s=["{L.0} in {city} may cost up to {n} {cur} per {l.2}.", "In {city}, {l.0} are paid up to {n} {cur} per {l.2}.", "{L.0} in {city} are limited to {n} {cur} per {l.2}.", "{city}: {l.0} up to {n} {cur} per {l.2}.", "The {l.1} per {l.2} is {n} {cur} in {city}.",
                "The {l.1} is {n} {cur} per {l.2} in {city}."],
             q=city_q, c=city_c, slots=dict(l=lodging, city=city, n=n, cur=cur), number="n", weight=2),
        dict(s=["The {l.1} per {l.2} is {n} {cur} in {city}, {n2} {cur} in {c2} and {n3} {cur} in {c3}.", "The {l.1} per {l.2} is {n2} {cur} in {c2} and {n} {cur} in {city}.", "{L.0} may cost {n3} {cur} per {l.2} in {c3} and {n} {cur} in {city}.",
                "The {l.1} is {n2} {cur} per {l.2} in {c2}, {n} {cur} in {city} and {n3} {cur} in {c3}.", "Limits for {l.0} per {l.2}: {c2} {n2} {cur}, {city} {n} {cur}, {c3} {n3} {cur}."],
             q=city_q, c=city_c, slots=cities, number="n", weight=2),
        dict(s=["{Group} may not {d}.", "It is not allowed for {group} to {d}.", "Only {group} may {d}.", "{Group} are allowed to {d}.", "{Group} can {d} without asking."],
             q=["Who may {d}?", "Who is allowed to {d}?", "May {group} {d}?", "Are {group} allowed to {d}?", "Can {group} {d}?"],
             slots=dict(group=group, d=filled(DEEDS))),
        dict(s=["{x} was {v} by {who} in {year}.", "In {year}, {x} was {v} by {who}.", "{x} was {v} by {who}."],
             q=["Who {v} {x}?", "By whom was {x} {v}?", "When was {x} {v}?", "In which year was {x} {v}?"],
             slots=dict(x=subject, v=f.pick("painted designed invented tested repaired opened closed bought sold built renamed discovered published translated rebuilt checked moved approved installed drawn".split()), who=w.person, year=lambda r: str(r.randint(1950, 2025)))),
    ]

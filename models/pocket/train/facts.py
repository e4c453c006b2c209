"""Synthetic facts: sentences and table rows with questions that ask for them in other words.

A frame has statements and questions over the same slots. A slot is a generator, or gives a pair (wording in
the statement, wording in the question). Frames with a `number` slot also carry questions to compute with.
"""

import functools
import sys

import leaks
import more_columns
import more_frames
import open_frames
import prose
import words as w

ROLES = """the finance director|the team lead|the head of department|the managing director|the office manager|the
security officer|the safety officer|the line manager|the site manager|the chief engineer|the payroll office|the legal
team|the IT desk|the facilities team|the HR team|the project manager|the board|the quality manager|the warehouse
supervisor|the travel desk|the data protection officer|the shift leader|the works council|the training coordinator|the
librarian|the lab supervisor|the fleet manager|the purchasing team|the regional director|the press office"""
ROLES = [" ".join(r.split()) for r in ROLES.split("|")]
ASSETS = """laptop|monitor|keyboard|headset|phone|badge|key card|parking card|locker|desk lamp|standing desk|office chair|
projector|microphone|camera|tablet|printer|scanner|safety helmet|toolbox|company car|bicycle|docking station|webcam|router|
forklift|drill|ladder|microscope|first aid kit|suitcase|raincoat|uniform|pocket calculator|access token|test phone|label printer"""
ASSETS = [" ".join(a.split()) for a in ASSETS.split("|")]
PLACES = """canteen|library|gym|reception|warehouse|front desk|kitchen|car park|server room|post room|workshop|laboratory|
showroom|meeting room|print room|roof terrace|nursery|training centre|medical room|bicycle cellar|archive|loading dock|
swimming pool|museum|ticket office|pharmacy|bakery|visitor centre|ferry|night bus|help desk|studio"""
PLACES = [" ".join(a.split()) for a in PLACES.split("|")]
SPENDS = [("Trips", "travel"), ("Business trips", "business travel"), ("Purchases", "a purchase"), ("Orders", "an order"),
          ("Contracts", "a contract"), ("Invoices", "an invoice"), ("Expenses", "expenses"), ("Software licences", "a software licence"),
          ("Training courses", "a training course"), ("Team events", "a team event"), ("Refunds", "a refund"), ("Repairs", "a repair"),
          ("Donations", "a donation"), ("Discounts", "a discount"), ("Loans", "a loan"), ("Flights", "a flight"),
          ("Journeys", "travel"), ("Conference visits", "a conference"), ("Overtime hours", "overtime")]
ALLOWANCES = [("hotel limit", "night", "nights"), ("meal allowance", "day", "days"), ("mileage rate", "kilometre", "kilometres"),
              ("daily allowance", "day", "days"), ("room price", "night", "nights"), ("parking fee", "day", "days"),
              ("taxi limit", "trip", "trips"), ("course fee", "person", "people"), ("entry fee", "visitor", "visitors"),
              ("rent", "month", "months"), ("hourly rate", "hour", "hours"), ("storage fee", "week", "weeks"),
              ("breakfast limit", "day", "days"), ("desk price", "day", "days"), ("licence fee", "seat", "seats"),
              ("delivery charge", "parcel", "parcels"), ("cleaning fee", "visit", "visits"), ("ticket price", "adult", "adults")]
LEAVES = [("vacation days", "vacation days"), ("days of annual leave", "vacation days"), ("days of paid holiday", "holidays"),
          ("vacation days", "days of vacation"), ("days of paid leave", "days of leave"), ("training days", "training days"),
          ("days of parental leave", "days of parental leave"), ("remote days", "days of working from home"), ("sick days", "sick days")]
GROUPS = """full-time employees|part-time employees|apprentices|interns|contractors|managers|night-shift workers|new employees|
trainees|drivers|engineers|students|members|volunteers|visitors|consultants|nurses|sales staff|technicians|seniors"""
GROUPS = [" ".join(g.split()) for g in GROUPS.split("|")]
DEVICES = """laptop|phone|tablet|badge|key|token|USB stick|company card|access card|notebook|parcel|passport|vehicle|package"""
DEVICES = [d for d in DEVICES.split("|")]
INCIDENTS = [("A lost {d}", "a lost {d}"), ("A stolen {d}", "a stolen {d}"), ("A damaged {d}", "a broken {d}"), ("A missing {d}", "a missing {d}")]
DOCS = """receipts|invoices|contracts|log files|backups|visitor records|payslips|test reports|video recordings|job applications|
inspection reports|drawings|customer data|signed forms|delivery notes|medical records|photos|audit files|meeting minutes|emails"""
DOCS = [" ".join(d.split()) for d in DOCS.split("|")]
TASKS = """inspection|audit|backup|fire drill|cleaning|inventory|safety training|staff meeting|maintenance|review|calibration|
newsletter|payroll run|board meeting|server update|stock count|health check|window cleaning|team lunch|exam"""
TASKS = [" ".join(t.split()) for t in TASKS.split("|")]
PERIODS = ["week", "month", "quarter", "year", "two weeks", "six months", "three years"]
COLOURS = "red blue green yellow black white grey orange purple brown silver pink".split()
SPANS = ["days", "weeks", "months", "hours", "minutes", "years", "working days"]
VENUES = ["first floor", "second floor", "third floor", "basement", "ground floor", "attic", "north wing", "south wing", "west building"]


def pick(bank):
    return lambda rng: rng.choice(bank)


def span(rng):
    return f"{rng.choice([2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 20, 24, 30, 36, 45, 48, 60, 90])} {rng.choice(SPANS)}"


def threshold(rng):
    amount = w.money(rng)
    if rng.random() < 0.12:
        low, currency_name = w.round_amount(rng), amount.split()[1]
        form = f"between {w.thousands(low)} {currency_name} and {w.thousands(low + w.round_amount(rng))} {currency_name}"
        return form, form
    if rng.random() < 0.5:
        return rng.choice([f"above {amount}", f"over {amount}", f"of more than {amount}"]), rng.choice([f"over {amount}", f"above {amount}", f"of more than {amount}"])
    return rng.choice([f"up to {amount}", f"below {amount}", f"under {amount}"]), rng.choice([f"under {amount}", f"below {amount}", f"up to {amount}"])


def asset(rng):
    return rng.choice(ASSETS) if rng.random() < 0.6 else f"{w.word(rng)} {rng.choice(['machine', 'set', 'kit', 'tool', 'module', 'unit'])}"


def place(rng):
    return rng.choice(PLACES) if rng.random() < 0.65 else f"{w.invented(rng).capitalize()} {rng.choice(['room', 'hall', 'desk', 'shop', 'centre', 'office'])}"


def project(rng):
    return f"{rng.choice(['Project', 'project', 'the', 'system'])} {w.invented(rng).capitalize()}".replace("the ", "")


def thing(rng):
    return w.product(rng)


def role(rng):
    return rng.choice(ROLES) if rng.random() < 0.6 else w.person(rng)


def incident(rng):
    s, q = rng.choice(INCIDENTS)
    d = rng.choice(DEVICES)
    return s.format(d=d), q.format(d=d)


def amount_number(rng):
    n = w.round_amount(rng)
    return w.thousands(n) if rng.random() < 0.7 else str(n)


def small_number(rng):
    return str(rng.choice([rng.randint(2, 40), rng.randint(10, 99)]))


def group(rng):
    return rng.choice(GROUPS) if rng.random() < 0.75 else f"{w.word(rng)} {rng.choice(['staff', 'workers', 'members', 'teams'])}"


def task(rng):
    return rng.choice(TASKS) if rng.random() < 0.7 else f"{w.word(rng)} {rng.choice(['check', 'review', 'test', 'meeting', 'report'])}"


def doc(rng):
    return rng.choice(DOCS) if rng.random() < 0.7 else f"{w.word(rng)} {rng.choice(['files', 'forms', 'records', 'reports', 'lists'])}"


def currency(rng):
    return rng.choice(w.CURRENCIES)


def allowance(rng):
    return rng.choice(ALLOWANCES)


# Each frame: statements | questions | slots | optional (number slot, unit slot plural, compute questions).
# In slots a pair is (statement wording, question wording); {x} reads the right one by itself.
FRAMES = [
    dict(
        s=["{spend} {limit} are approved by {role}.", "{spend} {limit} need the approval of {role}.", "{spend} {limit} must be signed by {role}.",
           "For {spend} {limit}, {role} gives the approval.", "{role} approves {spend} {limit}.", "{spend} {limit} require a signature from {role}.",
           "{spend} {limit} have to be approved by {role} in advance."],
        q=["Who approves {spend} {limit}?", "Who has to approve {spend} {limit}?", "Whose approval do I need for {spend} {limit}?", "Who signs {spend} {limit}?",
           "Who must agree to {spend} {limit}?", "Who can approve {spend} {limit}?", "Which person approves {spend} {limit}?"],
        slots=dict(spend=pick(SPENDS), limit=threshold, role=role)),
    dict(
        s=["The {a.0} in {city} is {n} {cur} per {a.1}.", "In {city} the {a.0} is {n} {cur} per {a.1}.", "{city}: the {a.0} per {a.1} is {n} {cur}.",
           "The {a.0} for {city} amounts to {n} {cur} per {a.1}.", "For {city}, the {a.0} is {n} {cur} a {a.1}.", "{city} has a {a.0} of {n} {cur} per {a.1}."],
        q=["What is the {a.0} in {city}?", "What is the {a.0} per {a.1} in {city}?", "How high is the {a.0} in {city}?", "How much is the {a.0} per {a.1} in {city}?",
           "What is the {a.0} for {city}?", "Which {a.0} applies in {city}?", "How many {cur} is the {a.0} in {city}?"],
        slots=dict(a=allowance, city=w.city, n=amount_number, cur=currency), number="n",
        c=[("What is the {a.0} per {a.1} in {city}", "and what do {k} {a.2} cost?", "*"), ("What is the {a.0} in {city}", "and how much is it for {k} {a.2}?", "*"),
           ("What is the {a.0} for {city}", "and what do {k} {a.2} come to?", "*"), ("How high is the {a.0} in {city}", "and what is the total for {k} {a.2}?", "*"),
           ("How much do {k} {a.2} cost in {city} with the {a.0}?", "", "*"), ("What is the {a.0} for {k} {a.2} in {city}?", "", "*"),
           ("What is {k} percent of the {a.0} in {city}?", "", "%"), ("What is the {a.0} in {city} plus {k} {cur}?", "", "+")]),
    dict(
        s=["A {t} costs {n} {cur}.", "The price of a {t} is {n} {cur}.", "The {t} is sold for {n} {cur}.", "We pay {n} {cur} for a {t}.", "Each {t} costs {n} {cur}.",
           "A new {t} is {n} {cur}.", "The standard {t} costs {n} {cur}."],
        q=["How much is a {t}?", "What does a {t} cost?", "What is the price of a {t}?", "How much does the {t} cost?", "How expensive is a {t}?", "What do we pay for a {t}?"],
        slots=dict(t=asset, n=amount_number, cur=currency), number="n",
        c=[("What does a {t} cost", "and what do {k} of them cost?", "*"), ("How much is a {t}", "and how much are {k}?", "*"), ("How much do {k} pieces of the {t} cost?", "", "*"),
           ("What is the price of a {t}", "and of {k} together?", "*"), ("What is {k} percent of the price of a {t}?", "", "%"), ("How much is a {t} with {k} {cur} off?", "", "-"),
           ("How much is a {t} plus {k} {cur} for delivery?", "", "+")]),
    dict(
        s=["{Group} have {n} {leave} per year.", "{Group} get {n} {leave} each year.", "{Group} are entitled to {n} {leave} per year.", "{Group} receive {n} {leave} a year.",
           "Every year, {group} can take {n} {leave}.", "The number of {leave} for {group} is {n}."],
        q=["How many {leave} do {group} have?", "How many {leave} do {group} get?", "How many {leave} per year do {group} get?", "How many {leave} are there for {group}?",
           "What is the number of {leave} for {group}?", "How many {leave} can {group} take?"],
        slots=dict(group=group, leave=pick(LEAVES), n=small_number), number="n",
        c=[("How many {leave} do {group} have", "and how many are left after {k}?", "-"), ("How many {leave} do {group} get", "and how many remain if I used {k}?", "-"),
           ("How many {leave} remain for {group} after taking {k}?", "", "-"), ("How many {leave} do {group} get", "and how many is that in {k} years?", "*"),
           ("How many {leave} do {group} have in {k} years?", "", "*")]),
    dict(
        s=["{inc} must be reported to {role} within {span}.", "{inc} has to be reported to {role} within {span}.", "Report {inc.low} to {role} within {span}.",
           "{inc} is reported to {role}, no later than {span} after it was noticed."],
        q=["To whom do I report {inc}?", "Who must be told about {inc}?", "Where do I report {inc}?", "How soon must {inc} be reported?", "How fast do I have to report {inc}?",
           "What should I do about {inc}?", "Within what time is {inc} reported?"],
        slots=dict(inc=incident, role=role, span=span)),
    dict(
        s=["The {p} opens at {t1} and closes at {t2}.", "The {p} is open from {t1} to {t2}.", "Opening hours of the {p}: {t1} to {t2}.", "From {t1} until {t2} the {p} is open.",
           "The {p} can be used between {t1} and {t2}."],
        q=["When does the {p} open?", "When is the {p} open?", "What are the opening hours of the {p}?", "At what time does the {p} close?", "Until when is the {p} open?", "How long is the {p} open?"],
        slots=dict(p=place, t1=w.clock, t2=w.clock)),
    dict(
        s=["The {p} is on the {v}.", "You find the {p} on the {v}.", "The {p} is located on the {v}, next to the {p2}.", "We have a {p} on the {v}."],
        q=["Where is the {p}?", "Where can I find the {p}?", "On which floor is the {p}?", "Where is the {p} located?", "How do I find the {p}?"],
        slots=dict(p=place, v=pick(VENUES), p2=place)),
    dict(
        s=["{Doc} are kept for {span}.", "{Doc} must be kept for {span}.", "We store {doc} for {span}.", "{Doc} are deleted after {span}.", "{Doc} have to be archived for {span}."],
        q=["How long are {doc} kept?", "How long do we keep {doc}?", "For how long must {doc} be stored?", "When are {doc} deleted?", "How long do we have to store {doc}?", "What is the retention period for {doc}?"],
        slots=dict(doc=doc, span=span)),
    dict(
        s=["The {task} takes place every {per}.", "A {task} is held every {per}.", "The {task} is done once every {per}.", "Every {per} there is a {task}.", "The {task} happens on {day} every {per}."],
        q=["How often is the {task}?", "How often does the {task} take place?", "When is the {task}?", "How frequently is the {task} done?", "How often do we have a {task}?"],
        slots=dict(task=task, per=pick(PERIODS), day=pick(w.DAYS))),
    dict(
        s=["{role} is responsible for the {task}.", "The {task} is organised by {role}.", "{role} takes care of the {task}.", "The {task} is the job of {role}.", "Questions about the {task} go to {role}.",
           "The contact for the {task} is {role}."],
        q=["Who is responsible for the {task}?", "Who organises the {task}?", "Who takes care of the {task}?", "Whom do I ask about the {task}?", "Who is the contact for the {task}?", "Who does the {task}?", "Who runs the {task}?"],
        slots=dict(role=role, task=task)),
    dict(
        s=["{Doc} must be handed in within {span}.", "{Doc} have to be submitted within {span}.", "Submit {doc} to {role} within {span}.", "The deadline for {doc} is {span}.", "{Doc} are accepted for {span} after the event."],
        q=["When must {doc} be handed in?", "By when do I submit {doc}?", "How long do I have to hand in {doc}?", "What is the deadline for {doc}?", "How quickly must {doc} be submitted?"],
        slots=dict(doc=doc, span=span, role=role)),
    dict(
        s=["Each {g.one} receives a {t}.", "Every {g.one} gets a {t} on the first day.", "A {t} is given to every {g.one}.", "For the {task}, every {g.one} needs a {t}."],
        q=["What does every {g.one} receive?", "What does a {g.one} get?", "Who receives a {t}?", "Who gets a {t}?", "Which equipment does a {g.one} get?"],
        slots=dict(g=lambda rng: (lambda x: dict(one=x))(rng.choice("employee visitor trainee driver member engineer student volunteer technician intern manager guest".split())), t=asset, task=task)),
    dict(
        s=["The warranty of the {t} is {span}.", "The {t} has a warranty of {span}.", "The {t} is covered by a warranty for {span}.", "For the {t} the maker gives {span} of warranty."],
        q=["How long is the warranty of the {t}?", "What warranty does the {t} have?", "How long is the {t} under warranty?", "For how long is the {t} covered?"],
        slots=dict(t=thing, span=span)),
    dict(
        s=["The {t} weighs {n} kg.", "The weight of the {t} is {n} kg.", "With {n} kg, the {t} is easy to carry.", "The {t} has a mass of {n} kg."],
        q=["How heavy is the {t}?", "What does the {t} weigh?", "What is the weight of the {t}?", "How much does the {t} weigh?"],
        slots=dict(t=thing, n=small_number), number="n",
        c=[("How heavy is the {t}", "and how heavy are {k} of them?", "*"), ("What is the weight of {k} pieces of the {t}?", "", "*"), ("What does the {t} weigh", "and what do {k} weigh?", "*")]),
    dict(
        s=["The {t} is {col}.", "The colour of the {t} is {col}.", "Our {t} is painted {col}.", "The {t} comes in {col}."],
        q=["What colour is the {t}?", "Which colour is the {t}?", "What is the colour of the {t}?", "In which colour does the {t} come?"],
        slots=dict(t=lambda rng: thing(rng) if rng.random() < 0.4 else asset(rng), col=pick(COLOURS))),
    dict(
        s=["{proj} started on {date}.", "{proj} began on {date}.", "Work on {proj} began on {date}.", "The start of {proj} was on {date}.", "{proj} is led by {role} and started on {date}."],
        q=["When did {proj} start?", "When did {proj} begin?", "On which date did {proj} start?", "What is the start date of {proj}?", "Since when does {proj} run?"],
        slots=dict(proj=project, date=w.date, role=role)),
    dict(
        s=["{proj} is led by {role}.", "{role} leads {proj}.", "The leader of {proj} is {role}.", "{proj} is managed by {role}.", "The owner of {proj} is {role}."],
        q=["Who leads {proj}?", "Who is the leader of {proj}?", "Who manages {proj}?", "Who is in charge of {proj}?", "Who owns {proj}?"],
        slots=dict(proj=project, role=role)),
    dict(
        s=["The phone number of the {p} is {ph}.", "The {p} can be reached at {ph}.", "Call the {p} at {ph}.", "You reach the {p} under {ph}."],
        q=["What is the phone number of the {p}?", "How can I reach the {p}?", "How do I call the {p}?", "Which number do I call for the {p}?", "What is the number of the {p}?"],
        slots=dict(p=place, ph=w.phone)),
    dict(
        s=["The email address of {who} is {em}.", "Write to {who} at {em}.", "{who} can be reached by email at {em}.", "Mail for {who} goes to {em}."],
        q=["What is the email address of {who}?", "How do I email {who}?", "Where do I write to {who}?", "Which email address does {who} have?"],
        slots=dict(who=role, em=w.email)),
    dict(
        s=["The {p} has room for {n} people.", "Up to {n} people fit into the {p}.", "The {p} holds {n} people.", "The {p} has {n} seats.", "The {p} seats {n} people."],
        q=["How many people fit into the {p}?", "How many seats does the {p} have?", "How big is the {p}?", "What is the capacity of the {p}?", "How many people can use the {p}?"],
        slots=dict(p=place, n=small_number), number="n",
        c=[("How many people fit into the {p}", "and how many places are free with {k} guests?", "-"), ("How many seats does the {p} have", "and how many are left after {k}?", "-"), ("How many seats do {k} rooms like the {p} have?", "", "*")]),
    dict(
        s=["Passwords for {sys} must have at least {n} characters.", "A {sys} password has at least {n} characters.", "The minimum length of a {sys} password is {n} characters."],
        q=["How long must a {sys} password be?", "How many characters does a {sys} password need?", "What is the minimum password length for {sys}?", "How long must passwords for {sys} be?"],
        slots=dict(sys=lambda rng: rng.choice(["email", "laptop", "VPN", "database", "admin", "guest", w.invented(rng).capitalize()]), n=small_number)),
    dict(
        s=["The {t} must be changed every {per}.", "The {t} has to be replaced every {per}.", "Replace the {t} every {per}.", "The {t} is renewed once every {per}."],
        q=["How often must the {t} be changed?", "How often is the {t} replaced?", "When do we have to replace the {t}?", "How often do I change the {t}?"],
        slots=dict(t=asset, per=pick(PERIODS))),
    dict(
        s=["The {pn} for {group} is {span}.", "{Group} have a {pn} of {span}.", "For {group}, the {pn} lasts {span}.", "The {pn} of {group} takes {span}."],
        q=["How long is the {pn} for {group}?", "How long does the {pn} last for {group}?", "What is the {pn} of {group}?", "How long is the {pn} of {group}?", "What {pn} do {group} have?"],
        slots=dict(group=group, pn=pick(["probation period", "notice period", "trial period", "waiting period", "training period", "lunch break", "night shift"]), span=span)),
    dict(
        s=["The {task} takes {span}.", "The {task} lasts {span}.", "You need {span} for the {task}.", "Plan {span} for the {task}.", "The {task} is {span} long."],
        q=["How long does the {task} take?", "How long is the {task}?", "What is the duration of the {task}?", "How much time does the {task} need?", "How long does the {task} last?"],
        slots=dict(task=task, span=span)),
    dict(
        s=["The {t} is stored in the {p}.", "The {t} is kept in the {p}.", "You find the {t} in the {p}.", "Put the {t} back into the {p} after use.", "The {t} can be picked up at the {p}."],
        q=["Where is the {t}?", "Where is the {t} kept?", "Where do I find the {t}?", "Where do I get a {t}?", "Where is the {t} stored?"],
        slots=dict(t=asset, p=place)),
    dict(
        s=["The {t} must be ordered from {role}.", "A {t} can be ordered from {role}.", "{role} hands out the {t}.", "To get a {t}, ask {role}.", "The {t} is issued by {role}."],
        q=["Who hands out the {t}?", "From whom do I get a {t}?", "Whom do I ask for a {t}?", "Who issues the {t}?", "How do I get a {t}?"],
        slots=dict(t=asset, role=role)),
    dict(
        s=["{t} was founded in {year} by {who}.", "{who} founded {t} in {year}.", "In {year}, {who} started {t}.", "{t} exists since {year} and was started by {who}."],
        q=["Who founded {t}?", "When was {t} founded?", "In which year was {t} founded?", "Who started {t}?", "When did {t} start?"],
        slots=dict(t=lambda rng: w.invented(rng).capitalize() + rng.choice([" Ltd", " GmbH", " Labs", " Group", " Museum", " Club", ""]), year=lambda rng: str(rng.randint(1890, 2025)), who=w.person)),
    dict(
        s=["{city} has {n} inhabitants.", "About {n} people live in {city}.", "The population of {city} is {n}.", "{city} is home to {n} people."],
        q=["How many people live in {city}?", "What is the population of {city}?", "How many inhabitants does {city} have?", "How big is {city}?"],
        slots=dict(city=lambda rng: w.invented(rng).capitalize(), n=lambda rng: w.thousands(rng.randint(1, 900) * 100))),
    dict(
        s=["{who} works as {job} in {city}.", "{who} is the {job} in {city}.", "The {job} in {city} is {who}."],
        q=["Who is the {job} in {city}?", "What is the job of {who}?", "Where does {who} work?", "What does {who} do?", "Who works as {job} in {city}?"],
        slots=dict(who=w.person, city=w.city, job=pick("architect baker chemist dentist editor pilot teacher plumber lawyer nurse painter surgeon tailor waiter farmer designer".split()))),
    dict(
        s=["{Group} may bring {n} guests.", "{Group} can bring {n} guests.", "The limit for {group} is {n} guests.", "No more than {n} guests are allowed for {group}."],
        q=["How many guests may {group} bring?", "How many guests can {group} bring?", "What is the guest limit for {group}?", "How many guests are allowed for {group}?"],
        slots=dict(group=group, n=small_number)),
    dict(
        s=["The {cls} class is allowed for flights longer than {n} hours.", "Flights longer than {n} hours may be booked in {cls} class.", "{Cls} class may be used when the flight is longer than {n} hours."],
        q=["When is {cls} class allowed?", "When can I book {cls} class?", "For which flights is {cls} class allowed?", "May I fly {cls} class?"],
        slots=dict(cls=pick(["business", "economy", "first", "premium", "comfort"]), n=small_number)),
    dict(
        s=["{Doc} are sent to {em}.", "Send {doc} to {em}.", "{Doc} go to {em}.", "Please mail {doc} to {em}."],
        q=["Where do I send {doc}?", "To which address are {doc} sent?", "Where do {doc} go?", "What is the address for {doc}?"],
        slots=dict(doc=doc, em=w.email)),
    dict(
        s=["Payment for {doc} is made within {span}.", "{Doc} are paid within {span}.", "The payment of {doc} takes {span}.", "Money for {doc} arrives after {span}."],
        q=["When are {doc} paid?", "How long does the payment of {doc} take?", "How soon are {doc} paid?", "When do I get the money for {doc}?"],
        slots=dict(doc=doc, span=span)),
    dict(
        s=["The {holiday} is on {date}.", "We celebrate the {holiday} on {date}.", "On {date} the office is closed for the {holiday}.", "The {holiday} falls on {date}."],
        q=["When is the {holiday}?", "On which day is the {holiday}?", "What is the date of the {holiday}?", "When do we celebrate the {holiday}?"],
        slots=dict(holiday=lambda rng: rng.choice(["summer party", "winter party", "spring festival", "founders day", "open day", "sports day", "company outing", "trade fair", w.invented(rng).capitalize() + " festival"]), date=w.date)),
    dict(
        s=["The maximum speed of the {t} is {n} km per hour.", "The {t} reaches {n} km per hour.", "The {t} runs at up to {n} km per hour."],
        q=["How fast is the {t}?", "What is the top speed of the {t}?", "What speed does the {t} reach?", "What is the maximum speed of the {t}?"],
        slots=dict(t=thing, n=small_number)),
    dict(
        s=["The battery of the {t} lasts {span}.", "The {t} runs for {span} on one battery.", "One charge of the {t} lasts {span}.", "The {t} has a battery life of {span}."],
        q=["How long does the battery of the {t} last?", "What is the battery life of the {t}?", "How long does the {t} run?", "How long does one charge of the {t} last?"],
        slots=dict(t=thing, span=span)),
    dict(
        s=["The {t} works between {a} and {b} degrees.", "Keep the {t} at {a} to {b} degrees.", "The temperature range of the {t} is {a} to {b} degrees.", "Store the {t} at {a} to {b} degrees."],
        q=["At which temperature does the {t} work?", "What temperature does the {t} need?", "What is the temperature range of the {t}?", "At what temperature is the {t} stored?"],
        slots=dict(t=lambda rng: thing(rng) if rng.random() < 0.5 else asset(rng), a=lambda rng: str(rng.randint(1, 20)), b=lambda rng: str(rng.randint(21, 80)))),
    dict(
        s=["Lunch with {g} is paid up to {n} {cur} per person.", "A meal with {g} may cost up to {n} {cur} per person.", "For meals with {g}, the limit is {n} {cur} per person."],
        q=["What is the limit for a meal with {g}?", "How much may lunch with {g} cost?", "How much can I spend on a meal with {g}?", "What is the meal limit with {g}?"],
        slots=dict(g=pick("customers guests partners suppliers candidates clients visitors applicants colleagues".split()), n=small_number, cur=currency), number="n",
        c=[("What is the meal limit with {g}", "and what is it for {k} people?", "*"), ("How much may lunch with {g} cost", "and how much for {k} people?", "*"), ("How much can I spend on a meal with {k} {g}?", "", "*")]),
    dict(
        s=["Working from {where} is allowed on {n} days per week.", "Employees may work from {where} on {n} days per week.", "Up to {n} days per week, staff can work from {where}."],
        q=["How many days can I work from {where}?", "How often may I work from {where}?", "How many days per week can employees work from {where}?", "Is working from {where} allowed?"],
        slots=dict(where=pick(["home", "abroad", "the branch office", "another site", "a hotel"]), n=lambda rng: str(rng.randint(1, 5))), number="n",
        c=[("How many days can I work from {where} per week", "and how many in {k} weeks?", "*"), ("How many days can I work from {where} in {k} weeks?", "", "*")]),
    dict(
        s=["Unused {leave} expire on {date}.", "Unused {leave} can be carried over until {date}.", "Remaining {leave} must be taken by {date}.", "{leave.cap} that are not used are lost on {date}."],
        q=["When do unused {leave} expire?", "Until when can I carry over {leave}?", "What happens to unused {leave}?", "Can I carry over {leave}?", "By when must I take remaining {leave}?"],
        slots=dict(leave=lambda rng: rng.choice([("vacation days", "vacation days"), ("vacation days", "vacation"), ("vouchers", "vouchers"), ("training hours", "training hours"), ("bonus points", "bonus points"), ("holidays", "vacation days"), ("leave days", "leave")]), date=w.date)),
    dict(
        s=["The {what} for {g} is {code}.", "{g.cap} use the {what} {code}.", "For {g} the {what} is {code}."],
        q=["What is the {what} for {g}?", "Which {what} do {g} use?", "What {what} is for {g}?", "What {what} do {g} need?"],
        slots=dict(what=pick(["wifi password", "door code", "locker code", "meeting code", "gate number", "discount code", "phone code"]), g=pick("guests visitors staff customers partners trainees drivers members suppliers cleaners".split()), code=w.code)),
    dict(
        s=["The {sys} server runs version {v}.", "{sys} is at version {v}.", "The current version of {sys} is {v}.", "We use {sys} {v}."],
        q=["Which version of {sys} do we use?", "What is the current version of {sys}?", "Which version does {sys} run?", "What version is {sys}?"],
        slots=dict(sys=lambda rng: w.invented(rng).capitalize(), v=lambda rng: f"{rng.randint(1, 19)}.{rng.randint(0, 30)}")),
    dict(
        s=["{What} are not allowed in the {p}.", "It is forbidden to bring {what} into the {p}.", "Do not take {what} into the {p}.", "{What} must stay outside the {p}."],
        q=["What is not allowed in the {p}?", "Are {what} allowed in the {p}?", "May I bring {what} into the {p}?", "Can I take {what} into the {p}?", "What is forbidden in the {p}?"],
        slots=dict(what=pick("pets drinks phones cameras bags bicycles magnets candles heaters umbrellas coats batteries knives dogs snacks".split()), p=place)),
    dict(
        s=["Wear {gear} in the {p}.", "In the {p} you must wear {gear}.", "{Gear} are required in the {p}.", "Nobody enters the {p} without {gear}."],
        q=["What must I wear in the {p}?", "What do I need to wear in the {p}?", "Which protection is needed in the {p}?", "Where must {gear} be worn?", "Where do I have to wear {gear}?"],
        slots=dict(gear=pick(["safety glasses", "gloves", "helmets", "ear plugs", "steel boots", "masks", "lab coats", "hair nets", "yellow vests", "name badges"]), p=place)),
    dict(
        s=["Visitors must {act} at the {p}.", "Every visitor has to {act} at the {p}.", "Guests {act} at the {p}."],
        q=["Where do visitors {act}?", "Where do guests have to {act}?", "What must visitors do at the {p}?", "Where must a visitor {act}?"],
        slots=dict(act=pick(["sign in", "register", "show a passport", "leave their bags", "get a badge", "park", "wait", "pay", "return the badge"]), p=place)),
    dict(
        s=["The {t} makes {n} {unit} per hour.", "In one hour the {t} makes {n} {unit}.", "The output of the {t} is {n} {unit} per hour."],
        q=["How many {unit} does the {t} make per hour?", "What is the output of the {t}?", "How many {unit} per hour come from the {t}?", "How much does the {t} make in an hour?"],
        slots=dict(t=thing, n=amount_number, unit=pick("parts boxes bottles litres sheets bags labels cups units pages".split())), number="n",
        c=[("How many {unit} does the {t} make per hour", "and how many in {k} hours?", "*"), ("How many {unit} does the {t} make in {k} hours?", "", "*"), ("What is the output of the {t} per hour", "and in {k} hours?", "*")]),
    dict(
        s=["The budget of {who} is {n} {cur}.", "{who} has a budget of {n} {cur}.", "{n} {cur} is the budget of {who}.", "The yearly budget for {who} is {n} {cur}."],
        q=["What is the budget of {who}?", "How big is the budget of {who}?", "How much money does {who} have?", "How much can {who} spend?", "What is the yearly budget for {who}?"],
        slots=dict(who=lambda rng: rng.choice(["the sales team", "the training department", "the design team", "marketing", "the research group", "the library", "the youth club", f"team {w.invented(rng).capitalize()}", f"project {w.invented(rng).capitalize()}"]), n=amount_number, cur=currency), number="n",
        c=[("What is the budget of {who}", "and what is left after spending {k} {cur}?", "-"), ("What is {k} percent of the budget of {who}?", "", "%"), ("What is the budget of {who}", "and how much is {k} percent of it?", "%"), ("How much is left of the budget of {who} after {k} {cur}?", "", "-")]),
]

FILLERS = ["This applies to all sites.", "Ask your manager if you are not sure.", "Exceptions need a written reason.", "The rule was last changed in spring.",
           "Please plan ahead.", "See the next page for details.", "Thank you for your help.", "Both teams agreed on this.", "The form is on the intranet.",
           "Keep a copy for your files.", "This page is reviewed once a year.", "Do not share this outside the company.", "There are no other rules."]
TITLES = ["Policy", "Rules", "Guide", "Overview", "Notes", "General", "Details", "Limits", "Contacts", "Approval", "Procedure", "Summary", "Introduction"]


FRAMES += open_frames.frames(sys.modules[__name__])
MORE_FRAMES = more_frames.frames(sys.modules[__name__])  # For the training split only.
FRAME_LIST = [f for f in FRAMES for _ in range(f.get("weight", 1))]
NUMBER_FRAMES = [f for f in FRAME_LIST if "number" in f]


class Fact:
    """One fact: its sentence, its questions, and what is needed to compute with it."""

    def __init__(self, frame, values):
        self.frame, self.values = frame, values
        self.avoids = None  # Another fact of the frame whose question must not be answered beside it.


def draw(rng, frame, like=None, keep=()):
    values = {k: (like.values[k] if like and k in keep else gen(rng)) for k, gen in frame["slots"].items()}
    return Fact(frame, values)


def fill(template, values, side):
    """Fills {x}, {x.0}, {x.low}, {x.cap}, {x.one} and {Group}-like capitalised slots; side 0 statement, 1 question."""
    out, i = [], 0
    while i < len(template):
        if template[i] != "{":
            out.append(template[i])
            i += 1
            continue
        j = template.index("}", i)
        name, _, part = template[i + 1 : j].partition(".")
        key = name if name in values else name[0].lower() + name[1:]
        v = values[key]
        if part.isdigit():
            v = v[int(part)]
        elif isinstance(v, dict):
            v = v[part]
        elif isinstance(v, tuple):
            v = v[side]
        if part == "low":
            v = v[0].lower() + v[1:]
        if part == "cap" or key != name:
            v = v[0].upper() + v[1:]
        out.append(v)
        i = j + 1
    return "".join(out)


@functools.cache
def held_out_sentences():
    """Answers and whole passages of answers.jsonl: a frame of few values would say one of them by chance."""
    cases = leaks.cases("answers.jsonl")
    return {p["text"] for case in cases for p in case["passages"]} | {s for case in cases for a in case["answers"] for s in leaks.sentences(a)}


def sentence(rng, fact, split):
    wordings = w.split_bank(fact.frame["s"], split)
    for _ in range(20):
        text = fill(rng.choice(wordings), fact.values, 0)
        text = text[0].upper() + text[1:]
        if split == "eval" or text not in held_out_sentences():
            return text
    raise ValueError(f"every wording is held out: {text}")


def question(rng, fact, split):
    return fill(rng.choice(w.split_bank(fact.frame["q"], split)), fact.values, 1)


def number_of(fact):
    return fact.values[fact.frame["number"]].replace(",", "")


SAME = ["days of vacation", "days of annual leave", "days of paid holiday", "days of paid leave", "days of leave", "holidays"]


def canonical(question):
    """Questions that mean the same become equal."""
    for phrase in SAME:
        question = question.replace(phrase, "vacation days")
    return question.replace("remote days", "days of working from home")


def questions_of(fact):
    """Its questions in all wordings, those that mean the same as one."""
    return {canonical(fill(q, fact.values, 1)) for q in fact.frame["q"]}


def near_fact(rng, fact):
    """A fact of the same frame that differs in what the question asks about (not only in the answer), of `fact` and of what it avoids."""
    keys = list(fact.frame["slots"])
    for _ in range(20):
        keep = rng.sample(keys, rng.randint(0, max(0, len(keys) - 2)))
        other = draw(rng, fact.frame, fact, keep)
        questions = questions_of(fact) | (questions_of(fact.avoids) if fact.avoids else set())
        if not questions & questions_of(other):
            return other
    return None


# Tables: a row becomes "column: value; column: value".
COLUMNS = {
    "price": (w.money, ["How much is {i}?", "What does {i} cost?", "What is the price of {i}?", "How expensive is {i}?"]),
    "cost": (w.money, ["How much is {i}?", "What does {i} cost?", "What is the cost of {i}?"]),
    "approval": (lambda rng: rng.choice(ROLES)[4:], ["Who approves {i}?", "Whose approval do I need for {i}?", "Who has to approve {i}?"]),
    "owner": (lambda rng: w.person(rng), ["Who owns {i}?", "Who is the owner of {i}?", "To whom does {i} belong?"]),
    "contact": (lambda rng: w.person(rng), ["Who is the contact for {i}?", "Whom do I ask about {i}?"]),
    "location": (lambda rng: rng.choice(VENUES), ["Where is {i}?", "Where can I find {i}?", "What is the location of {i}?"]),
    "stock": (small_number, ["How many of {i} are in stock?", "How many {i} do we have?", "What is the stock of {i}?"]),
    "delivery": (span, ["How long does the delivery of {i} take?", "When is {i} delivered?", "What is the delivery time of {i}?"]),
    "supplier": (lambda rng: w.invented(rng).capitalize(), ["Who supplies {i}?", "Who is the supplier of {i}?", "Where do we buy {i}?"]),
    "colour": (pick(COLOURS), ["What colour is {i}?", "Which colour does {i} have?"]),
    "warranty": (span, ["How long is the warranty of {i}?", "What warranty does {i} have?"]),
    "date": (w.date, ["When is {i}?", "What is the date of {i}?", "On which day is {i}?"]),
    "weight": (lambda rng: small_number(rng) + " kg", ["How heavy is {i}?", "What does {i} weigh?"]),
    "phone": (w.phone, ["What is the phone number of {i}?", "How can I call {i}?"]),
    "code": (w.code, ["What is the code of {i}?", "Which code does {i} have?"]),
}
# Others, and other questions about these, for the training split only.
MORE_COLUMNS = {
    "length": (lambda rng: small_number(rng) + " m", ["How long is {i} from end to end?", "What length does {i} have?", "What is the length of {i}?", "How many metres long is {i}?"]),
    "height": (lambda rng: small_number(rng) + " cm", ["How tall is {i}?", "How high is {i}?", "What height does {i} have?", "What is the height of {i}?"]),
    "capacity": (lambda rng: small_number(rng) + " litres", ["How much fits into {i}?", "What can {i} hold?", "What is the capacity of {i}?", "How many litres does {i} take?"]),
    "speed": (lambda rng: small_number(rng) + " km/h", ["How fast is {i}?", "How fast does {i} go?", "What is the top speed of {i}?", "Which speed does {i} reach?"]),
    "power": (lambda rng: small_number(rng) + " watts", ["How strong is the motor of {i}?", "How many watts does {i} draw?", "What power does {i} have?", "How much electricity does {i} use?"]),
    "voltage": (lambda rng: small_number(rng) + " volts", ["On how many volts does {i} run?", "What voltage does {i} need?", "Which mains does {i} need?"]),
    "material": (lambda rng: rng.choice("steel oak glass cotton brass clay rubber leather".split()), ["What is {i} made of?", "Which material is {i}?", "Of what stuff is {i}?"]),
    "country": (lambda rng: rng.choice("Norway Japan Chile Kenya Poland Canada Italy India".split()), ["Where does {i} come from?", "In which country is {i} made?", "Which country makes {i}?", "What is the origin of {i}?"]),
    "language": (lambda rng: rng.choice("French Danish Polish Hindi Latin Welsh Greek".split()), ["Which language is {i} in?", "What language does {i} use?", "In what language was {i} written?"]),
    "version": (lambda rng: f"{rng.randint(1, 12)}.{rng.randint(0, 20)}", ["Which version of {i} do we run?", "What is the current release of {i}?", "How new is our copy of {i}?", "Which release is {i}?"]),
    "author": (lambda rng: w.person(rng), ["Who wrote {i}?", "Who is the author of {i}?", "By whom is {i}?"]),
    "pages": (small_number, ["How many pages does {i} have?", "How thick is the manual of {i}?", "How much is there to read in {i}?"]),
    "rating": (lambda rng: f"{rng.randint(1, 5)} of 5", ["How good is {i}?", "What do people think of {i}?", "How many stars does {i} have?", "What rating did {i} get?"]),
    "condition": (lambda rng: rng.choice("new used worn broken repaired mint".split()), ["In which state is {i}?", "What shape is {i} in?", "Is {i} still in order?", "What is the condition of {i}?"]),
    "interval": (span, ["How often is {i} serviced?", "After which time does {i} need a check?", "What is the service interval of {i}?"]),
    "temperature": (lambda rng: small_number(rng) + " degrees", ["How warm is {i} kept?", "At which temperature is {i} stored?", "How cold must {i} be?"]),
    "deposit": (w.money, ["How much do I leave as a deposit for {i}?", "What deposit does {i} need?", "What is held back for {i} until it returns?"]),
    "discount": (lambda rng: f"{rng.randint(1, 60)} %", ["How much is taken off {i}?", "What discount is there on {i}?", "By how much is {i} reduced?"]),
    "department": (lambda rng: rng.choice("sales research legal finance transport training".split()), ["Which department uses {i}?", "To which department does {i} go?", "What division is {i} for?"]),
    "licence": (lambda rng: rng.choice("A B C trainee forklift none".split()), ["Which licence do I need for {i}?", "What permit does {i} ask for?", "May I drive {i} with any licence?"]),
    "fuel": (lambda rng: rng.choice("diesel petrol gas wood electricity".split()), ["What does {i} run on?", "Which fuel does {i} burn?", "What do I fill into {i}?"]),
    "battery": (span, ["How long does the battery of {i} hold?", "For how long does {i} run on one charge?", "What is the battery life of {i}?"]),
    "noise": (lambda rng: small_number(rng) + " dB", ["How loud is {i}?", "How much noise does {i} make?", "What is the noise level of {i}?"]),
    "age": (lambda rng: f"{rng.randint(2, 40)} years", ["How old is {i}?", "What age does {i} have?", "For how many years have we had {i}?"]),
    "seats": (small_number, ["How many people fit into {i}?", "How many seats does {i} have?", "For how many persons is {i}?"]),
    "inspector": (lambda rng: w.person(rng), ["Who inspects {i}?", "Who checked {i} last?", "Whose inspection did {i} pass?"]),
    "website": (lambda rng: w.invented(rng) + ".example", ["What is the website of {i}?", "Where on the internet is {i}?", "Which page tells about {i}?"]),
    "insurance": (lambda rng: w.invented(rng).capitalize(), ["Who insures {i}?", "With whom is {i} insured?", "Which insurance covers {i}?"]),
    "diameter": (lambda rng: small_number(rng) + " mm", ["How wide is {i} across?", "What diameter does {i} have?", "How thick is {i}?"]),
    "size": (lambda rng: rng.choice("XS S M L XL XXL".split()), ["Which size is {i}?", "What size does {i} come in?", "Is {i} large or small?"]),
}
MORE_QUESTIONS = {
    "price": ["What do I pay for {i}?", "How many euros is {i}?", "What would {i} set me back?", "Is {i} dear?"],
    "cost": ["What do we spend on {i}?", "How much money is {i}?", "What does it take to buy {i}?"],
    "approval": ["Who signs off {i}?", "By whom is {i} approved?", "Who gives the go-ahead for {i}?", "Who must agree to {i}?"],
    "owner": ["Whose is {i}?", "Who has {i} in their name?", "Which person owns {i}?", "Who holds {i}?"],
    "contact": ["Who can help me with {i}?", "Who answers questions about {i}?", "Whom do I talk to about {i}?", "Which person is in charge of questions on {i}?"],
    "location": ["In which place is {i} kept?", "Where do we keep {i}?", "Where is {i} stored?", "At which spot is {i}?"],
    "stock": ["How many pieces of {i} are left?", "Is there any {i} left in the store?", "What quantity of {i} is there?", "How much of {i} is on the shelf?"],
    "delivery": ["How fast does {i} arrive?", "How many days until {i} comes?", "How soon is {i} here?", "What is the wait for {i}?"],
    "supplier": ["From whom do we get {i}?", "Which firm delivers {i}?", "Who sells us {i}?", "Which vendor has {i}?"],
    "colour": ["In which colour is {i}?", "How is {i} painted?", "What is the colour of {i}?", "Is {i} red or blue?"],
    "warranty": ["For how long is {i} under guarantee?", "When does the guarantee of {i} end?", "How long do they repair {i} for free?"],
    "date": ["What day is {i} planned for?", "For when is {i} set?", "On what date does {i} take place?", "When does {i} happen?"],
    "weight": ["How many kilos is {i}?", "What is the weight of {i}?", "Can I lift {i}, or is it too heavy?", "How much does {i} bring to the scales?"],
    "phone": ["Under which number do I reach {i}?", "What number do I dial for {i}?", "At which phone is {i}?", "Whose number do I ring about {i}?"],
    "code": ["Under which code is {i} listed?", "What is {i} called in the system?", "Which number identifies {i}?", "What is the short code for {i}?"],
}
# Questions that name the column {c} itself, of the training split.
NAMED = ["What is the {c} of {i}?", "Which {c} does {i} have?", "Tell me the {c} of {i}.", "I need the {c} of {i}.", "{c} of {i}?", "What {c} has {i}?", "Do you know the {c} of {i}?",
         "What about the {c} of {i}?", "Say which {c} {i} has.", "And the {c} of {i}?", "Give me the {c} for {i}.", "Is there a {c} for {i}?", "What does it say under {c} for {i}?"]
NAMED_SHARE = 0.5
# Whether answers from tables are cells, "weight: 83 kg", and not rows; data.py --cells.
CELLS = False
ROW_KEYS = ["item", "name", "product", "article", "device", "model", "equipment", "part", "title", "entry", "object", "service"]


OTHERS_KNOWN = 12  # Of the columns of the training split alone, those that a table may have or be asked for.


def columns_of(rng, split):
    if split != "train":
        return COLUMNS
    others = MORE_COLUMNS | more_columns.COLUMNS
    return COLUMNS | {c: others[c] for c in rng.sample(list(others), OTHERS_KNOWN)}


def questions_about(rng, known, column, split):
    """Ways to ask for a column: in the training split half of them name it."""
    own = w.split_bank(known[column][1], split)
    if split != "train":
        return own
    named = [q.replace("{c}", column) for q in NAMED]
    more = named if rng.random() < NAMED_SHARE else own + MORE_QUESTIONS.get(column, []) + more_columns.QUESTIONS.get(column, [])
    return [q for q in more if not w.held_out(q)] or own


class Table:
    def __init__(self, rng, rows, split="eval"):
        self.key = rng.choice(ROW_KEYS)
        self.known = columns_of(rng, split)
        self.columns = rng.sample(list(self.known), rng.randint(1, 3))
        if "price" in self.columns and "cost" in self.columns:
            self.columns.remove("cost")
        self.items = []
        while len(self.items) < rows:
            item = rng.choice([asset(rng).capitalize(), thing(rng), w.product(rng), w.word(rng).capitalize()])
            if item not in self.items:
                self.items.append(item)
        self.cells = [{c: self.known[c][0](rng) for c in self.columns} for _ in self.items]

    def missing(self):
        """The columns that it does not have, in no other words either."""
        return [c for c in self.known if c not in self.columns and not (c in ("price", "cost") and {"price", "cost"} & set(self.columns))]

    def row(self, i):
        return "; ".join([f"{self.key}: {self.items[i]}"] + [f"{c}: {self.cells[i][c]}" for c in self.columns])

    def cell(self, i, column):
        return f"{column}: {self.cells[i][column]}"

    def said(self, i, column):
        """What answers a question for this column: the row, or (CELLS) its cell alone."""
        return self.cell(i, column) if CELLS else self.row(i)

    def mention(self, rng, item):
        low = item if rng.random() < 0.4 else item.lower()
        return rng.choice([f"the {low}", f"a {low}", f"the {low}", low])

    def question(self, rng, item, column, split):
        return rng.choice(questions_about(rng, self.known, column, split)).format(i=self.mention(rng, item))


STOP = set("""who whom whose what when where which why how is are was were be been do does did can could may might must should
will would shall the a an of for to in on at by with and or i we my our you your it its this that these those there any please tell
me need want know much many long often soon fast have has had get give find out say if so as from into about
let us like look up search check said hi hello hey thanks""".split())


def keywords(text):
    """The key words of a question, copied in order: the rule for the query of the document search tool."""
    out = []
    for token in text.replace("?", " ").replace("!", " ").split():
        token = token.strip(".,;:\"")
        if token and token.lower() not in STOP:
            out.append(token)
    return " ".join(out)

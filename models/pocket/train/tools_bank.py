"""Tool declarations with requests that fit them: hand-written families, and verbs x nouns for the open rest."""

import json

import facts
import words as w

# Never to appear here: the names of the product's own tools and of its demonstration.
RESERVED = {"search_documents", "calculator", "current_time", "list_files", "read_file", "convert_units"}

# Argument kinds: type, parameter names, descriptions, generator, phrases that carry the value in a request.
KINDS = {
    "city": ("string", "city town location place city_name destination where".split(), ["The city", "Name of the city", "City name", "The place"], w.city, ["in {}", "for {}"]),
    "to_city": ("string", "to destination to_city target arrival going_to".split(), ["Where to", "The destination", "City of arrival"], w.city, ["to {}"]),
    "from_city": ("string", "from origin from_city departure leaving_from start_city".split(), ["Where from", "The origin", "City of departure"], w.city, ["from {}"]),
    "person": ("string", "person name who contact employee full_name user customer".split(), ["Name of the person", "The person", "Full name", "Who it is for"], w.person, ["for {}", "of {}"]),
    "to_person": ("string", "recipient to receiver assignee contact addressee".split(), ["Who receives it", "The recipient", "Name of the receiver"], w.person, ["to {}"]),
    "day": ("string", "date day when on_date due_date due start_date".split(), ["The date", "The day", "When", "Date of the event"], w.day_word, ["on {}", "for {}"]),
    "clock": ("string", "time at start_time hour clock_time begin".split(), ["The time", "Time of day", "Starting time"], w.clock, ["at {}"]),
    "id": ("string", "id {n}_id code number reference ref key {n}_number identifier".split(), ["The id", "Id of the {n}", "The number of the {n}", "Reference code"], w.code, ["{}", "{}", "with id {}", "number {}"]),
    "title": ("string", "title name label subject heading caption".split(), ["The title", "Name of the {n}", "A short title"], lambda r: w.phrase(r, 1, 3), ["called {}", "named {}", "with the title {}", "titled \"{}\""]),
    "text": ("string", "text message content body note comment words".split(), ["The text", "Text of the {n}", "What it says"], lambda r: w.phrase(r, 2, 5), ["saying \"{}\"", "with the text \"{}\"", "that says {}", "\"{}\""]),
    "count": ("integer", "count quantity number_of amount n size how_many copies".split(), ["How many", "The number of pieces", "Quantity"], lambda r: r.randint(1, 99), ["with quantity {}", "{} times", "for {} people", "with {} copies"]),
    "minutes": ("integer", "minutes duration length duration_min mins".split(), ["Length in minutes", "Minutes", "Duration in minutes"], lambda r: r.choice([5, 10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120]), ["for {} minutes", "of {} minutes", "lasting {} minutes"]),
    "amount": ("number", "amount price value sum total max_price budget".split(), ["The amount", "Amount of money", "The price"], lambda r: r.choice([r.randint(1, 999), round(r.uniform(1, 99), 1), round(r.uniform(1, 99), 2)]), ["for {} EUR", "of {} dollars", "with amount {}", "of {} EUR"]),
    "email": ("string", "email mail address email_address to_address".split(), ["The email address", "Email of the person", "Mail address"], w.email, ["to {}", "with email {}"]),
    "file": ("string", "path file filename file_name document file_path".split(), ["The file", "Path of the file", "File name"], w.file_name, ["{}", "the file {}"]),
    "level": ("integer", "level percent value brightness volume degree".split(), ["The level", "Level in percent", "The value"], lambda r: r.randint(1, 100), ["to {}", "at {}", "to {} percent"]),
    "flag": ("boolean", "urgent private all_day silent force public draft express".split(), ["Whether it is {p}", "True if {p}"], lambda r: True, ["{p}", "as {p}", "and make it {p}"]),
    "tags": ("array", "tags labels topics categories keywords people items".split(), ["List of tags", "The tags", "Several labels"], lambda r: [w.word(r) for _ in range(r.randint(2, 3))], ["with tags {}", "tagged {}", "with {}"]),
    "enum": ("enum", "kind type_of status priority mode category size style color unit class".split(), ["The {p}", "Which {p}", "One of the {p} values"], None, ["with {p} {}", "as {}", "in {}", "{}"]),
    "word": ("string", None, ["The {p}", "Which {p}", "{p} to use"], w.word, ["with {p} {}", "using {p} {}", "for {p} {}", "{p} {}"]),
}

VERBS = {
    "create": ("create make add new register".split(), ["Create", "Make", "Add", "Register"], ["Create a", "Make a", "Add a", "I need a new", "Please create a", "Set up a"]),
    "delete": ("delete remove drop erase".split(), ["Delete", "Remove", "Erase"], ["Delete the", "Remove the", "Get rid of the", "Erase the"]),
    "get": ("get fetch show retrieve view load".split(), ["Get", "Show", "Fetch", "Return"], ["Show me the", "Get the", "Fetch the", "Give me the", "I want to see the"]),
    "update": ("update change edit modify adjust".split(), ["Update", "Change", "Edit"], ["Update the", "Change the", "Edit the", "Modify the"]),
    "send": ("send deliver submit dispatch".split(), ["Send", "Deliver", "Submit"], ["Send a", "Send the", "Deliver the", "Submit the"]),
    "start": ("start begin launch run activate".split(), ["Start", "Begin", "Launch"], ["Start the", "Launch the", "Run the", "Begin the"]),
    "stop": ("stop end halt pause disable".split(), ["Stop", "End", "Pause"], ["Stop the", "End the", "Halt the", "Pause the"]),
    "book": ("book reserve schedule plan".split(), ["Book", "Reserve", "Schedule"], ["Book a", "Reserve a", "Schedule a", "I would like to book a"]),
    "cancel": ("cancel revoke abort".split(), ["Cancel", "Revoke"], ["Cancel the", "Cancel my", "Revoke the"]),
    "check": ("check verify test inspect".split(), ["Check", "Verify", "Test"], ["Check the", "Verify the", "Test the", "Please check the"]),
    "order": ("order buy purchase request".split(), ["Order", "Buy", "Purchase"], ["Order a", "Buy a", "Purchase a", "I want to buy a"]),
    "track": ("track follow monitor trace".split(), ["Track", "Follow", "Monitor"], ["Track the", "Where is the", "Follow the"]),
    "open": ("open unlock".split(), ["Open", "Unlock"], ["Open the", "Unlock the"]),
    "close": ("close lock shut".split(), ["Close", "Lock"], ["Close the", "Lock the", "Shut the"]),
    "print": ("print plot".split(), ["Print", "Print out"], ["Print the", "Print out the", "Print a"]),
    "share": ("share publish post".split(), ["Share", "Publish", "Post"], ["Share the", "Publish the", "Post the"]),
    "set": ("set configure put".split(), ["Set", "Configure"], ["Set the", "Configure the", "Put the"]),
    "archive": ("archive store backup".split(), ["Archive", "Store"], ["Archive the", "Store the", "Put away the"]),
    "assign": ("assign give allocate".split(), ["Assign", "Allocate"], ["Assign the", "Give the", "Allocate the"]),
    "rate": ("rate review score".split(), ["Rate", "Review", "Score"], ["Rate the", "Review the", "Score the"]),
}
NOUNS = """event ticket invoice order task note playlist alarm room sensor camera printer server database email message package
parcel contact account booking project report meeting reminder timer appointment customer payment refund subscription device
light heater window door lamp thermostat speaker recipe song photo video album map route ride taxi flight hotel table desk
product article page post comment review survey form template folder backup branch release build job queue log dashboard chart
invitation badge key locker bicycle vehicle shipment warehouse shelf label stamp contract quote offer coupon voucher gift card
budget expense salary course lesson exam student teacher class patient prescription sample experiment machine robot drone garden
plant calculator pump valve engine battery charger screen keyboard channel station ship train bus game score team player tournament""".split()

FAMILIES = [
    dict(names=["get_weather", "weather", "forecast", "weather_in", "fetchForecast", "local_weather", "weather_report", "getWeatherNow", "meteo"],
         desc=["Gets the weather for a city.", "Weather of a place.", "Returns the forecast.", "Current weather at a location"],
         args=[("city", 1), ("day", 0)], req=["What's the weather in {city}[ {on|}{day}]?", "How is the weather in {city}?", "Weather in {city}[ on {day}]?", "Will it rain in {city}[ {day}]?", "Do I need an umbrella in {city}?"],
         out=lambda r: {"temperature": r.randint(-9, 38), "weather": r.choice("sunny cloudy rainy windy foggy snowy clear stormy".split())}),
    dict(names=["get_time", "clock", "what_time", "time_now", "timeIn", "local_time", "tell_time", "worldClock", "now"],
         desc=["Returns the time of day.", "The time now, in a time zone if given.", "Tells what time it is.", "Current date and time"],
         args=[("city", 0)], req=["What time is it[ in {city}]?", "What's the time[ in {city}]?", "How late is it[ in {city}]?", "Tell me the time[ in {city}].", "What is the current time[ in {city}]?"],
         out=lambda r: {"time": f"{r.randint(0,23):02d}:{r.randint(0,59):02d}"} if r.random() < 0.6 else {"date": w.date(r), "time": f"{r.randint(0,23):02d}:{r.randint(0,59):02d}"}),
    dict(names=["today", "get_date", "date_today", "currentDate", "calendar_day"], desc=["Returns today's date.", "The date of today.", "Tells the date."],
         args=[], req=["What day is it today?", "What is today's date?", "Which date is it?", "What's the date today?"], out=lambda r: {"date": w.date(r)}),
    dict(names=["list_folder", "ls", "dir", "show_folder", "files_in", "browse_dir", "listDirectory", "folder_contents", "scan_dir"],
         desc=["Lists the files of a folder.", "Shows what is in a directory.", "Names of the files in a folder"],
         args=[("folder", 0.8)], req=["Which files are in {folder}?", "List the files in {folder}.", "Show me the contents of {folder}.", "What is in the folder {folder}?", "List {folder}."],
         out=lambda r: {r.choice(["files", "entries", "names"]): [w.file_name(r) for _ in range(r.randint(1, 4))]}),
    dict(names=["open_file", "cat", "load_text", "file_contents", "view_file", "get_text", "show_file", "fileReader", "slurp"],
         desc=["Reads a text file.", "Returns the contents of a file.", "Shows the text of a file.", "Opens a file and gives its text"],
         args=[("file", 1)], req=["Read {file}.", "What does {file} say?", "Show me {file}.", "Open the file {file}.", "What is in {file}?", "Read me the file {file}.", "Print the contents of {file}."],
         out=lambda r: {r.choice(["text", "content", "value"]): w.phrase(r, 3, 9)}),
    dict(names=["write_file", "save_text", "store_file", "writeText", "make_file"], desc=["Writes text to a file.", "Saves a text file."],
         args=[("file", 1), ("text", 1)], req=["Write \"{text}\" to {file}.", "Save {text} in {file}.", "Put the text \"{text}\" into {file}."], out=lambda r: {"value": r.choice(["saved", "written", "ok"])}),
    dict(names=["unit_convert", "to_unit", "convert_measure", "convertUnit", "measure", "unit_tool", "change_units"],
         desc=["Converts a value from one unit to another.", "Changes a quantity into another unit.", "Unit conversion"],
         args=[("value", 1), ("from_unit", 1), ("to_unit", 1)], req=["Convert {value} {from_unit} to {to_unit}.", "How much is {value} {from_unit} in {to_unit}?", "What is {value} {from_unit} in {to_unit}?", "How many {to_unit} are {value} {from_unit}?"],
         out=lambda r: {r.choice(["value", "result"]): r.choice([r.randint(1, 9999), round(r.uniform(0, 999), 2)])}),
    dict(names=["exchange", "currency_rate", "convert_money", "fx", "exchangeRate", "change_money"], desc=["Converts money from one currency to another.", "Exchange of currencies"],
         args=[("value", 1), ("cur_from", 1), ("cur_to", 1)], req=["Convert {value} {cur_from} to {cur_to}.", "How much is {value} {cur_from} in {cur_to}?", "Change {value} {cur_from} into {cur_to}."],
         out=lambda r: {"amount": round(r.uniform(1, 999), 2)}),
    dict(names=["translate", "translate_text", "translator", "toLanguage", "translation"], desc=["Translates a text.", "Translation into another language"],
         args=[("text", 1), ("language", 1)], req=["Translate \"{text}\" into {language}.", "How do you say {text} in {language}?", "Translate {text} to {language}."], out=lambda r: {"value": w.phrase(r, 2, 4)}),
    dict(names=["send_email", "mail", "send_mail", "emailPerson", "write_mail"], desc=["Sends an email.", "Send mail to an address."],
         args=[("email", 1), ("title", 0.5), ("text", 1)], req=["Send an email to {email}[ with the subject {title}] saying \"{text}\".", "Email {email} the text \"{text}\".", "Write {email} a mail[ titled {title}] that says {text}."], out=lambda r: {"value": r.choice(["sent", "queued", "delivered"])}),
    dict(names=["find_flights", "flights", "search_flights", "flight_offers", "air_search"], desc=["Finds flights between two cities.", "Flight offers"],
         args=[("from_city", 1), ("to_city", 1), ("day", 0)], req=["Find flights from {from_city} to {to_city}[ on {day}].", "I want to fly from {from_city} to {to_city}[ on {day}].", "Which flights go from {from_city} to {to_city}?"],
         out=lambda r: {"airline": w.invented(r).capitalize(), "price": r.randint(40, 900)}),
    dict(names=["set_alarm", "alarm", "wake_me", "alarmClock", "add_alarm"], desc=["Sets an alarm.", "Alarm at a time of day"],
         args=[("clock", 1), ("title", 0)], req=["Wake me at {clock}.", "Set an alarm for {clock}[ called {title}].", "Alarm at {clock}, please."], out=lambda r: {"value": "alarm set"}),
    dict(names=["start_timer", "timer", "countdown", "set_timer"], desc=["Starts a timer.", "Counts down some minutes."],
         args=[("minutes", 1)], req=["Start a timer for {minutes} minutes.", "Set a timer of {minutes} minutes.", "Count down {minutes} minutes."], out=lambda r: {"status": "running"}),
    dict(names=["add_reminder", "remind", "remind_me", "new_reminder"], desc=["Adds a reminder.", "Reminds the user of something."],
         args=[("text", 1), ("day", 0), ("clock", 0)], req=["Remind me to {text}[ on {day}][ at {clock}].", "Add a reminder: {text}."], out=lambda r: {"id": w.code(r)}),
    dict(names=["book_table", "reserve_table", "restaurant_booking", "dinner"], desc=["Books a table in a restaurant.", "Table reservation"],
         args=[("place", 1), ("count", 1), ("day", 0)], req=["Book a table for {count} at {place}[ on {day}].", "Reserve a table at {place} for {count} people.", "A table for {count} in {place}[ on {day}], please."], out=lambda r: {"confirmation": w.code(r)}),
    dict(names=["create_event", "add_event", "calendar_add", "newEvent", "plan_meeting"], desc=["Creates a calendar event.", "Adds a meeting to the calendar."],
         args=[("title", 1), ("day", 1), ("clock", 0), ("people", 0)], req=["Create an event {title} on {day}[ at {clock}].", "Plan a meeting called {title} on {day}[ with {people}].", "Put {title} into my calendar on {day}[ at {clock}]."], out=lambda r: {"value": r.choice(["created", "added"])}),
    dict(names=["stock_price", "quote", "share_price", "ticker"], desc=["Returns the price of a stock.", "Share price of a company"],
         args=[("symbol", 1)], req=["What is the share price of {symbol}?", "How is the stock of {symbol} doing?", "Price of {symbol} stock?"], out=lambda r: {"price": round(r.uniform(1, 900), 2)}),
    dict(names=["set_light", "lights", "dim_light", "lamp_control"], desc=["Sets the light of a room.", "Brightness of a room's lamps"],
         args=[("room", 1), ("level", 1)], req=["Set the light in the {room} to {level} percent.", "Dim the {room} light to {level}.", "Make the {room} lamp {level} percent bright."], out=lambda r: {"value": "ok"}),
    dict(names=["set_temperature", "thermostat", "heat", "climate"], desc=["Sets the temperature of a room.", "Heating of a room in degrees"],
         args=[("room", 1), ("degrees", 1)], req=["Set the {room} to {degrees} degrees.", "Heat the {room} to {degrees} degrees.", "I want {degrees} degrees in the {room}."], out=lambda r: {"value": "ok"}),
    dict(names=["play_music", "play", "music", "playSong"], desc=["Plays music.", "Plays a song or artist"],
         args=[("song", 1)], req=["Play {song}.", "I want to hear {song}.", "Put on {song}, please."], out=lambda r: {"status": "playing"}),
    dict(names=["send_message", "text_person", "sms", "chat_send"], desc=["Sends a short message to a person.", "Message to a contact"],
         args=[("to_person", 1), ("text", 1)], req=["Tell {to_person}: {text}", "Send {to_person} the message \"{text}\".", "Text {to_person} that {text}."], out=lambda r: {"value": "sent"}),
    dict(names=["find_contact", "phone_book", "contact_lookup", "who_is"], desc=["Finds the phone number of a person.", "Contact data of a person"],
         args=[("person", 1)], req=["What is the phone number of {person}?", "How can I call {person}?", "Find the contact of {person}."], out=lambda r: {"email": w.email(r), "phone": w.phone(r)}),
    dict(names=["track_parcel", "parcel_status", "where_is_package", "tracking"], desc=["Tracks a parcel.", "Status of a shipment"],
         args=[("id", 1)], req=["Where is my parcel {id}?", "Track package {id}.", "What is the status of shipment {id}?"], out=lambda r: {"place": w.city(r), "status": r.choice(["delivered", "in transit", "delayed"])}),
    dict(names=["run_command", "shell", "exec", "terminal"], desc=["Runs a shell command.", "Executes a command in a terminal."],
         args=[("command", 1)], req=["Run `{command}`.", "Execute {command} in the shell.", "Run the command {command}."], out=lambda r: {"value": w.phrase(r, 1, 3)}),
    dict(names=["random_number", "dice", "roll", "pick_number"], desc=["Draws a random number.", "Random number between two bounds"],
         args=[("low", 1), ("high", 1)], req=["Give me a random number between {low} and {high}.", "Draw a number from {low} to {high}."], out=lambda r: {"value": r.randint(1, 99)}),
]
SPECIAL = {
    "folder": ("string", "folder path dir directory where location".split(), ["The folder", "Path of the directory", "Which folder"], w.folder),
    "value": ("number", "value amount quantity number x".split(), ["The value", "Amount to convert", "The number"], lambda r: r.choice([r.randint(1, 500), r.randint(1, 20), round(r.uniform(0, 50), 1)])),
    "from_unit": ("string", "from from_unit unit source_unit unit_in".split(), ["Unit of the value", "The unit it has", "From unit"], lambda r: r.choice("miles metres feet pounds kilograms litres gallons inches hours yards grams ounces knots acres cups".split())),
    "to_unit": ("string", "to to_unit target_unit into unit_out".split(), ["The wanted unit", "To unit", "Unit of the result"], lambda r: r.choice("kilometres centimetres stones tons pints millimetres seconds minutes days joules hectares bytes bits barrels".split())),
    "cur_from": ("string", "from base source from_currency".split(), ["Currency of the amount", "From currency"], lambda r: r.choice(["EUR", "USD", "GBP", "CHF", "euros", "dollars"])),
    "cur_to": ("string", "to target quote to_currency".split(), ["The wanted currency", "To currency"], lambda r: r.choice(["JPY", "SEK", "NOK", "yen", "pounds", "DKK", "francs"])),
    "language": ("string", "language lang to target_language into".split(), ["The language", "Target language"], lambda r: r.choice("French German Spanish Italian Dutch Greek Danish Polish Czech Welsh Latin Turkish Hindi".split())),
    "place": ("string", "restaurant place venue where name".split(), ["Name of the restaurant", "The restaurant"], lambda r: w.invented(r).capitalize()),
    "people": ("array", "people guests attendees participants".split(), ["Who takes part", "The guests"], lambda r: [w.first_name(r) for _ in range(r.randint(2, 3))]),
    "symbol": ("string", "symbol company ticker name".split(), ["The company", "Ticker symbol"], lambda r: w.invented(r).capitalize()),
    "room": ("string", "room area zone where".split(), ["The room", "Which room"], lambda r: r.choice("kitchen bedroom bathroom hall cellar garage office attic study lounge".split())),
    "degrees": ("integer", "degrees temperature target celsius".split(), ["Degrees Celsius", "The temperature"], lambda r: r.randint(5, 30)),
    "song": ("string", "song title artist query".split(), ["Song or artist", "What to play"], lambda r: " ".join(x.capitalize() for x in w.phrase(r, 1, 3).split())),
    "command": ("string", "command cmd line script".split(), ["The command", "Command line"], lambda r: f"{r.choice(['ls', 'cat', 'grep', 'rm', 'cp', 'make', 'git', 'tar'])} {w.word(r)}"),
    "low": ("integer", "low min from lower".split(), ["Lower bound", "The smallest number"], lambda r: r.randint(1, 20)),
    "high": ("integer", "high max to upper".split(), ["Upper bound", "The largest number"], lambda r: r.randint(21, 999)),
}

# Of all names and arguments, the share that is left to dictionary words; the evaluation can do without them.
STYLE = {"random_names": True}
SKIPPED = {"description", "type", "properties", "required", "nullable"}


TAILS = ["Fails if it does not exist.", "Use it when the user asks.", "Returns the result.", "Needs no approval.", "Paths are relative to the workspace.", "Ask before you use it.", "The result is text.",
         "Works offline.", "Changes are saved at once.", "Returns an error if the name is unknown.", "At most 100 results."]
TAILS_SEARCH = ["Each passage has an id to cite.", "Use it for questions about rules, prices and people.", "Returns up to 4 passages with source and text.", "Cite the passages you use.", "The passages are numbered.",
                "Call it before you answer a question about facts.", "Best passages first."]
TAILS_CALC = ["Use it for every computation.", "Supports + - * / and parentheses.", "Returns the exact result.", "Operators: + - * / % and brackets.", "Example: 3 * (4 + 5).", "Never compute in your head."]


class Tool:
    """A declared tool and how people ask for it."""

    def __init__(self, name, description, kind):
        self.name, self.description, self.kind = name, description, kind
        self.roles, self.props, self.required = {}, {}, []

    def add(self, rng, role, kind, type_name, param, description, need, enum=None):
        prop = {"type": "string" if type_name == "enum" else type_name, "description": description}
        if type_name == "enum":
            prop["enum"] = enum
        if type_name == "array":
            prop["items"] = {"type": "string"}
        self.props[param] = prop
        self.roles[role] = (param, kind)
        if need:
            self.required.append(param)

    def lengthen(self, rng):
        """Adds what long descriptions of real tools say around their meaning."""
        tails = TAILS_SEARCH if self.kind == "search" else TAILS_CALC if self.kind == "calc" else TAILS
        if rng.random() < 0.35:
            self.description = self.description.rstrip(".") + ". " + rng.choice(tails)
        for prop in self.props.values():
            if rng.random() < 0.15:
                prop["description"] += rng.choice([", as text", ", required", ", for example from the request", ". Optional", ", exactly as given", ", in plain words", " (see the manual)"])

    def schema(self):
        parameters = {"type": "object", "properties": self.props}
        if self.required:
            parameters["required"] = self.required
        return {"name": self.name, "description": self.description, "parameters": parameters}


def style(rng, first, second):
    """One name out of two words in one of the usual spellings."""
    form = rng.random()
    if form < 0.6:
        return f"{first}_{second}"
    if form < 0.72:
        return first + second.capitalize()
    if form < 0.86:
        return f"{second}_{first}"
    if form < 0.93:
        return f"{rng.choice(['do', 'my', 'app', 'api', 'the', 'run', w.word(rng)])}_{first}_{second}"
    return first + second


def open_name(rng, name, split):
    """Mostly the name as it is; else one with dictionary words, which has to be copied, not recalled."""
    r = rng.random()
    if r < 0.6 or not STYLE["random_names"]:
        return name
    word = w.name_word(rng, split)
    if r < 0.75:
        return rng.choice([f"{name}_{word}", f"{word}_{name}"])
    if r < 0.78:
        return f"{name}{rng.randint(2, 9)}"
    if r < 0.9:
        return word if rng.random() < 0.5 else f"{word}_{w.name_word(rng, split)}"
    return w.invented(rng)


def pick_param(rng, names, split, noun, used):
    for _ in range(20):
        if names and (rng.random() < 0.65 or not STYLE["random_names"]):
            name = rng.choice(w.split_bank(names, split)).replace("{n}", noun)
            if rng.random() < 0.25 and STYLE["random_names"]:
                name = f"{rng.choice([w.name_word(rng, split), noun])}_{name}"
        else:
            name = w.name_word(rng, split)
        if name not in used and name not in SKIPPED and name not in RESERVED:
            return name
    return w.invented(rng)


def show(v):
    if isinstance(v, list):
        return ", ".join(v[:-1]) + " and " + v[-1]
    return str(v)


def family_tool(rng, split, kind=None):
    """A tool of a family by hand: of the one whose first name is `kind`, or of any."""
    family = next(f for f in FAMILIES if f["names"][0] == kind) if kind else rng.choice(FAMILIES)
    name = open_name(rng, rng.choice(w.split_bank(family["names"], split)), split)
    tool = Tool(name, rng.choice(family["desc"]), "family")
    tool.family = family
    for role, need in family["args"]:
        type_name, names, descs, gen = (SPECIAL[role] if role in SPECIAL else KINDS[role])[:4]
        param = pick_param(rng, names, split, "item", tool.props)
        prop = rng.choice(descs).replace("{n}", "item").replace("{p}", param.replace("_", " "))
        tool.add(rng, role, (type_name, gen), type_name, param, prop, need >= 1 or rng.random() < need)
    return tool


def family_request(rng, tool, split, drop=None):
    """Returns (user text, arguments); drop names a role whose value the user leaves out (None: give all)."""
    template = rng.choice(w.split_bank(tool.family["req"], split))
    out, i = "", 0
    while i < len(template):  # Optional parts in brackets.
        if template[i] == "[":
            j = template.index("]", i)
            if rng.random() < 0.5:
                out += template[i + 1 : j]
            i = j + 1
        else:
            out += template[i]
            i += 1
    out = out.replace("{on|}", rng.choice(["on ", ""]))
    arguments, text = {}, out
    for role, (param, (type_name, gen)) in tool.roles.items():
        if "{" + role + "}" in text:
            v = gen(rng)
            arguments[param] = v
            text = text.replace("{" + role + "}", show(v))
    return text, arguments


def open_tool(rng, split, like=None):
    """A tool out of a verb and a noun; `like` asks for a near miss of another open tool."""
    verb = rng.choice(list(VERBS)) if not like or rng.random() < 0.5 else like.verb
    if like and verb != like.verb:
        noun = like.noun
    else:
        noun = rng.choice(w.split_bank(NOUNS, split)) if rng.random() < 0.55 or not STYLE["random_names"] else w.name_word(rng, split)
        if rng.random() < 0.2:
            noun = f"{noun} {rng.choice(NOUNS)}" if " " not in noun else noun
    names, descs, phrases = VERBS[verb]
    tool = Tool(style(rng, rng.choice(names), noun.replace(" ", "_")), "", "open")
    tool.verb, tool.noun, tool.phrases = verb, noun, phrases
    desc = f"{rng.choice(descs)} {rng.choice(['a', 'the', 'one', 'a'])} {noun}"
    tool.description = desc + rng.choice([".", "", " in the system.", " by its data.", "."])
    if verb in ("delete", "get", "update", "cancel", "check", "track", "print", "archive", "assign", "share", "stop"):
        roles = ["id"] + rng.sample(["to_person", "day", "text", "level", "enum", "word", "flag", "title", "file"], rng.choice([0, 0, 1, 1, 2]))
    else:
        roles = rng.sample([k for k in KINDS if k not in ("id", "file")], rng.choice([1, 1, 2, 2, 3]))
    if rng.random() < 0.04:
        roles = []
    for n, role in enumerate(roles):
        type_name, pnames, pdescs, gen, ways = KINDS[role]
        param = pick_param(rng, pnames, split, noun.replace(" ", "_"), tool.props)
        plain = param.replace("_", " ")
        enum = None
        if type_name == "enum":
            enum = sorted({rng.choice([w.word(rng), rng.choice("low medium high small large red blue fast slow new old open closed daily weekly public private".split())]) for _ in range(rng.randint(2, 4))})
            gen = (lambda e: lambda r: r.choice(e))(enum)
        desc = rng.choice(pdescs).replace("{n}", noun).replace("{p}", plain)
        need = role != "flag" and (n == 0 or rng.random() < 0.5)
        tool.add(rng, role, (type_name, gen), type_name, param, desc, need, enum)
    return tool


WRAPS = ["{}.", "{}.", "{}.", "{}", "Please {l}.", "Can you {l}?", "Could you {l}, please?", "{}, please.", "Hi, {l}.", "I want you to {l}.", "Now {l}."]


def open_request(rng, tool, split, drop=None):
    arguments, phrases = {}, []
    lead = ""
    for role, (param, (type_name, gen)) in tool.roles.items():
        if role == drop or (param not in tool.required and rng.random() < 0.4):
            continue
        v = gen(rng)
        way = rng.choice(KINDS[role][4]).replace("{p}", param.replace("_", " "))
        if role == "flag":
            phrases.append(way)
        elif role == "id":
            lead = " " + way.format(show(v))
        else:
            phrases.append(way.format(show(v)))
        arguments[param] = v
    if rng.random() < 0.5:
        rng.shuffle(phrases)
    text = f"{rng.choice(w.split_bank(tool.phrases, split))} {tool.noun}{lead}" + "".join(" " + p for p in phrases)
    wrap = rng.choice(w.split_bank(WRAPS, split))
    if text.startswith(("I ", "Please", "Where")):
        wrap = "{}."
    return wrap.format(text, l=text[0].lower() + text[1:]), arguments


def open_response(rng, tool, arguments):
    kind = rng.random()
    if kind < 0.25:
        return {"value": rng.choice(["created", "done", "ok", "deleted", "updated", "sent", "started", "booked", w.phrase(rng, 1, 4)])}
    if kind < 0.4:
        return {"error": rng.choice([f"no such {tool.noun}", "not found", "permission denied", f"{tool.noun} is locked", "timed out", w.phrase(rng, 2, 4)])}
    out = {}
    for _ in range(rng.choice([1, 1, 2, 2, 3])):
        key = rng.choice("id status name price date time count available city owner number total state size message color type_name level temperature position".split() + [w.word(rng)])
        v = rng.choice([lambda: w.code(rng), lambda: w.word(rng), lambda: w.person(rng), lambda: rng.randint(1, 999), lambda: round(rng.uniform(0, 99), 1), lambda: w.date(rng), lambda: rng.random() < 0.5, lambda: w.phrase(rng, 1, 3)])()
        out[key] = v
    return out


BARE = {"value", "result", "text", "content", "output", "message"}


def answer(response):
    """The sentence for a tool's response: the values as they are."""
    if "error" in response:
        return f"Error: {response['error']}"
    if len(response) == 1:
        key, v = next(iter(response.items()))
        if key in BARE:
            return scalar(v)
        if isinstance(v, list):
            return f"{key}: {', '.join(scalar(x) for x in v)}."
    parts = [f"{k} is {scalar(v)}" for k, v in sorted(response.items(), key=lambda x: x[0].lower())]
    return ", ".join(parts) + "."


def scalar(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, list):
        return ", ".join(scalar(x) for x in v)
    return str(v)


SEARCH_VERBS = "find search lookup query fetch get retrieve scan consult ask browse match".split()
SEARCH_NOUNS = "passages kb docs handbook wiki notes manuals policies archive knowledge library pages records guides corpus faq texts intranet sources articles".split()
SEARCH_PARAMS = "query q text question search_text terms phrase keywords search needle topic input words what query_text request".split()
SEARCH_DESC = ["{v} the {n}.", "{v} the {c} {n} for passages.", "{v} {c} {n} and returns passages that match.", "Passages of the {n} about a question.",
               "{v} the {n} by key words.", "Full text search in the {c} {n}.", "{v} the indexed {n} and return the best passages.", "Answers come from here: {l} the {c} {n}."]
SEARCH_PDESC = ["What to look for", "The search words", "Key words", "The question", "Text to search", "Words to find", "The query", "What to search for"]


def search_tool(rng, split):
    verb, noun = rng.choice(w.split_bank(SEARCH_VERBS, split)), rng.choice(w.split_bank(SEARCH_NOUNS, split))
    v = rng.choice(["Search", "Searches", "Look through", "Find text in", "Query", "Searches"])
    desc = rng.choice(w.split_bank(SEARCH_DESC, split)).format(v=v, l=v.lower(), c=rng.choice(["company", "internal", "project", "team", "user's", "own", "stored", "local"]),
                                      n=rng.choice(["documents", "documents", "handbook", "files", noun, "knowledge base", "manuals", "notes"]))
    tool = Tool(open_name(rng, style(rng, verb, noun), split), desc, "search")
    param = pick_param(rng, SEARCH_PARAMS, split, noun, ())
    tool.add(rng, "query", ("string", None), "string", param, rng.choice(SEARCH_PDESC), True)
    tool.param = param
    return tool


CALC_NAMES = "calc evaluate do_math math compute arithmetic eval_expr sums math_eval solve computeValue evalMath figure_out number_cruncher calculate sum_calculator calculator_plus desk_calculator my_calculator calculator_tool run_calculator".split()
CALC_PARAMS = "expression expr formula input calc term exp math_text e sum".split()
CALC_DESC = ["Evaluates an arithmetic expression.", "Computes the value of a formula.", "Does arithmetic.", "Calculates with numbers: + - * / and brackets.", "Works out an arithmetic expression.", "Exact arithmetic on numbers", "A calculator for arithmetic.", "Calculator: evaluates an expression."]


def calc_tool(rng, split):
    name = open_name(rng, rng.choice(w.split_bank(CALC_NAMES, split)), split)
    tool = Tool(name, rng.choice(w.split_bank(CALC_DESC, split)), "calc")
    param = pick_param(rng, CALC_PARAMS, split, "sum", ())
    tool.add(rng, "expression", ("string", None), "string", param, rng.choice(["The expression", "What to compute", "Arithmetic expression", "The formula", "e.g. 2 * 3"]), True)
    tool.param = param
    return tool


def compute(expression):
    """The value of a generated expression, an int where it is whole and two decimals at most otherwise."""
    v = eval(expression, {"__builtins__": {}})  # Only ever our own digits and operators.
    v = round(v, 2)
    return int(v) if v == int(v) else v


def calc_request(rng, split):
    a, b = rng.choice([rng.randint(2, 99), rng.randint(100, 9999)]), rng.randint(2, 99)
    op, ways = rng.choice([
        ("*", ["What is {a} times {b}?", "Multiply {a} by {b}.", "How much is {a} * {b}?", "{a} times {b}?", "Compute {a} * {b}."]),
        ("+", ["What is {a} plus {b}?", "Add {a} and {b}.", "How much is {a} + {b}?", "What is the sum of {a} and {b}?", "Compute {a} + {b}."]),
        ("-", ["What is {a} minus {b}?", "How much is {a} - {b}?", "What remains of {a} minus {b}?", "Compute {a} - {b}."]),
        ("/", ["What is {a} divided by {b}?", "Divide {a} by {b}.", "How much is {a} / {b}?"]),
        ("%", ["What is {b} percent of {a}?", "How much is {b}% of {a}?", "Compute {b} percent of {a}."]),
    ])
    expression = f"{a} * {b} / 100" if op == "%" else f"{a} {op} {b}"
    return rng.choice(w.split_bank(ways, split)).format(a=a, b=b), expression


def signature(tool):
    return json.dumps(tool.schema(), sort_keys=True)

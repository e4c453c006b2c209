"""Columns of tables and questions about them, and other questions about those of facts.py: for the training split only."""

import words as w

COLUMNS = {
    "opening hours": (lambda rng: f"{rng.randint(6, 11)}:{rng.choice('00 15 30'.split())} to {rng.randint(15, 22)}:{rng.choice('00 30'.split())}", [
        "When does {i} open?", "Until what time is {i} open?", "When do they close {i} in the evening?", "At what hours can I visit {i}?", "From when to when is {i} open?",
        "What are the opening hours of {i}?", "How early can I get into {i}?"]),
    "allergens": (lambda rng: rng.choice("nuts|milk|gluten|eggs|soy|celery|mustard|sesame|shellfish|none|milk and eggs|gluten and nuts".split("|")), [
        "I have an allergy, what should I watch out for with {i}?", "Which allergens are in {i}?", "To what could someone react in {i}?", "Is {i} safe for a person with a nut allergy?",
        "Which allergy warning is on {i}?", "Does {i} have anything in it that people are allergic to?", "What allergens must be named for {i}?"]),
    "frequency": (lambda rng: f"{rng.choice([rng.randint(40, 990), rng.randint(2, 60)])} {rng.choice('Hz kHz MHz GHz'.split())}", [
        "How many hertz does {i} have?", "On which frequency does {i} send?", "At what frequency does {i} work?", "Which band do I tune to for {i}?", "How fast does {i} swing, in hertz?",
        "What frequency is {i} set to?", "On what wave do I receive {i}?"]),
    "isbn": (lambda rng: f"978-{rng.randint(0, 9)}-{rng.randint(100, 999)}-{rng.randint(10000, 99999)}-{rng.randint(0, 9)}", [
        "What is the ISBN of {i}?", "Under which ISBN can I order {i}?", "Which book number does the shop need for {i}?", "I want to order {i} at the bookshop, what ISBN do I give them?",
        "Can you give me the ISBN for {i}?", "What book number is printed on the back of {i}?"]),
    "gate": (lambda rng: f"{rng.choice('ABCDEF')}{rng.randint(1, 60)}", [
        "Which gate do I go to for {i}?", "At what gate do we board {i}?", "What is the gate of {i}?", "Where at the airport does boarding for {i} start?", "Which gate number is shown for {i}?",
        "To which gate do passengers of {i} have to walk?"]),
    "platform": (lambda rng: f"{rng.randint(1, 24)}{rng.choice(['', '', 'a', 'b'])}", [
        "From which track does {i} leave?", "On which platform is {i}?", "At what platform do I wait for {i}?", "Which track do I need for {i}?", "What platform does {i} come in on?",
        "At the station, which platform is for {i}?", "On what track does {i} stop?"]),
    "torque": (lambda rng: f"{rng.randint(2, 320)} Nm", [
        "How tight do I turn the screws of {i}?", "How many newton metres does {i} need?", "What torque is given for {i}?", "With which torque are the bolts of {i} tightened?",
        "To what do I set the torque wrench for {i}?", "How hard may I tighten {i}?", "What turning force does {i} give?"]),
    "pressure": (lambda rng: f"{rng.choice([rng.randint(1, 16), rng.randint(20, 300)])} bar", [
        "How many bar does {i} need?", "How much air do I pump into {i}?", "At which pressure does {i} work?", "What pressure can {i} take?", "To how many bar is {i} filled?",
        "What should the gauge on {i} show?", "How high is the pressure in {i}?"]),
    "ingredients": (lambda rng: ", ".join(rng.sample("flour sugar butter salt yeast rice tomatoes onions honey oats cream garlic lemon pepper cocoa".split(), rng.randint(2, 3))), [
        "What goes into {i}?", "What do I have to buy to cook {i}?", "What are the ingredients of {i}?", "Which things do I need to make {i} in the kitchen?", "What is mixed together for {i}?",
        "What does the recipe of {i} call for?", "From which foods is {i} cooked?"]),
    "calories": (lambda rng: f"{rng.randint(20, 980)} kcal", [
        "How many calories does {i} have?", "How fattening is {i}?", "I am on a diet, how much energy is in {i}?", "How many kcal are in {i}?", "What is the calorie count of {i}?",
        "If I eat {i}, how many calories is that?", "How rich is {i} in calories?"]),
    "dosage": (lambda rng: rng.choice([f"{rng.randint(2, 3)} tablets {rng.choice(['a day', 'twice a day', 'at night'])}",
        f"{rng.randint(5, 30)} drops {rng.choice(['a day', 'every 6 hours', 'before meals'])}", f"{rng.randint(2, 15)} ml a day"]), [
        "How much of {i} should I take?", "What dose of {i} is right?", "How many tablets of {i} a day?", "What is the dosage of {i}?", "How do I take {i}?", "How much {i} do I give the patient?",
        "What dose does the leaflet of {i} say?"]),
    "side effects": (lambda rng: rng.choice("headache|dry mouth|dizziness|nausea|tiredness|skin rash|none known|loss of appetite|poor sleep|stomach pain".split("|")), [
        "What can happen to me if I take {i}?", "What are the side effects of {i}?", "Does {i} make people feel ill?", "Which unwanted effects does {i} have?",
        "How might my body react to swallowing {i}?", "What complaints do patients have after {i}?", "Is anything known about side effects of {i}?"]),
    "expiry": (lambda rng: f"{rng.choice(w.MONTHS)} {rng.randint(2025, 2032)}", [
        "When does {i} go off?", "Until when can I still use up {i}?", "What best-before date is on {i}?", "When does {i} expire?", "Until when does {i} keep?",
        "When must we throw {i} away because it is out of date?", "In which month is {i} past its date?"]),
    "resolution": (lambda rng: rng.choice("1280 x 720|1920 x 1080|2560 x 1440|3840 x 2160|12 megapixels|24 megapixels|48 megapixels|300 dpi|600 dpi|1200 dpi".split("|")), [
        "How sharp is the picture of {i}?", "How many pixels does {i} have?", "What resolution does {i} offer?", "How fine is the image that {i} makes?", "Is {i} full HD or 4K?",
        "At which resolution does {i} work?", "How many dots or pixels does {i} show?"]),
    "memory": (lambda rng: f"{rng.choice([4, 8, 16, 32, 64, 128, 256, 512])} GB", [
        "How much RAM is in {i}?", "How many gigabytes does {i} have?", "How much memory does {i} come with?", "What amount of data fits on {i}?", "Has {i} enough gigabytes for my photos?",
        "How big is the memory of {i}?", "How much space for files is there on {i}?"]),
    "operating system": (lambda rng: rng.choice("Linux|Windows 11|Windows 10|macOS|Android|iOS|ChromeOS|FreeBSD|Ubuntu|Debian".split("|")), [
        "Is {i} a Windows or a Linux machine?", "Which system is installed on {i}?", "What operating system does {i} have?", "Under which OS does {i} start?", "What OS is on {i}?",
        "Does {i} boot into Windows, macOS or something else?"]),
    "connector": (lambda rng: rng.choice("USB-C|USB-A|micro USB|HDMI|Schuko|BNC|XLR|jack 3.5 mm|RJ45|DisplayPort|Lightning".split("|")), [
        "What kind of plug does {i} have?", "Which cable fits {i}?", "How do I connect {i}?", "What socket does {i} plug into?", "Which connector is on {i}?",
        "Do I need a USB-C cable for {i}, or another one?", "Which lead do I bring along for {i}?"]),
    "genre": (lambda rng: rng.choice("crime|comedy|fantasy|jazz|drama|horror|romance|western|science fiction|folk|satire|thriller".split("|")), [
        "Is {i} a comedy or a drama?", "What sort of story is {i}?", "To which genre does {i} belong?", "Under which genre would I look for {i}?", "What kind of entertainment is {i}?",
        "Is {i} something for fans of crime stories?", "How would you class {i} as a work of art?"]),
    "publisher": (lambda rng: rng.choice("Harbour Press|Linden Verlag|Northlight Books|Old Mill Editions|Paper Boat|Red Lantern|Silver Quill|Three Hills Press|Umbra House".split("|")), [
        "Which house published {i}?", "Who is the publisher of {i}?", "Who brought out {i}?", "By which press was {i} printed?", "With which publisher did {i} appear?",
        "Which publishing company has {i} on its list?"]),
    "translator": (w.person, [
        "Who translated {i}?", "Who put {i} into our language?", "By whom is the translation of {i}?", "Who is the translator of {i}?", "Whose translation of {i} do we use?",
        "Who was paid for translating {i}?"]),
    "difficulty": (lambda rng: rng.choice("easy|medium|tricky|very hard|beginner|advanced|expert|moderate|simple".split("|")), [
        "How difficult is {i}?", "Could a beginner manage {i}?", "Is {i} tricky?", "How much skill does {i} ask for?", "How demanding is {i}?", "On what level of difficulty is {i}?",
        "Is {i} meant for experts or for everyone?"]),
    "instructor": (w.person, [
        "Who teaches {i}?", "Who gives the course on {i}?", "Who shows us how to use {i}?", "Who is the instructor for {i}?", "With whom do I learn {i}?", "Whose class is {i}?",
        "Who trains people on {i}?"]),
    "departure": (lambda rng: f"{rng.randint(4, 23)}:{rng.randint(0, 59):02d}", [
        "When does {i} leave?", "At what time does {i} set off?", "How late can I be and still catch {i}?", "When is the departure of {i}?", "At what minute does {i} pull out?",
        "When does {i} take off?", "What time do we start off with {i}?"]),
    "delay": (lambda rng: rng.choice([f"{rng.randint(3, 120)} minutes", f"{rng.randint(2, 9)} hours", "none"]), [
        "How late is {i}?", "Is {i} on time?", "How many minutes is {i} behind schedule?", "What delay does {i} have?", "By how much is {i} late today?",
        "How much extra do we have to wait because {i} is late?", "Is {i} running late?"]),
    "destination": (lambda rng: w.city(rng), [
        "Where does {i} travel to?", "To which town does {i} travel?", "Where is {i} headed?", "What is the destination of {i}?", "In which town does {i} arrive?", "Which city is {i} bound for?",
        "Where are we sending {i}?"]),
    "driver": (w.person, [
        "Who drives {i}?", "Who sits at the wheel of {i}?", "Who is the driver of {i}?", "Who is steering {i} today?", "Which driver was given {i}?", "By whom is {i} driven?",
        "Who takes {i} on the road?"]),
    "tax": (lambda rng: f"{rng.choice([4, 5, 7, 9, 10, 13, 19, 20, 21, 22, 25])} %", [
        "How much VAT is on {i}?", "What tax is added to {i}?", "At which rate is {i} taxed?", "How many percent does the state take for {i}?", "What is the tax rate of {i}?",
        "Is {i} taxed at the full or the low rate?", "How high is the sales tax on {i}?"]),
    "payment": (lambda rng: rng.choice("cash|card|invoice|bank transfer|direct debit|voucher|cash or card|instalments|cheque|online".split("|")), [
        "How can I pay for {i}?", "Do they take cards for {i}?", "In what way is {i} paid?", "Can I get {i} on invoice?", "What method of payment is used for {i}?", "Do I need cash for {i}?",
        "How would you like me to settle the bill for {i}?"]),
    "minimum order": (lambda rng: f"{rng.choice([2, 5, 6, 10, 12, 20, 24, 25, 50, 100, 250, 500])} {rng.choice('pieces boxes packs pallets crates'.split())}", [
        "How many of {i} must I order at least?", "What is the smallest quantity of {i} I can order?", "Can I order just one of {i}?", "Is there a minimum order for {i}?",
        "From how many on can {i} be ordered?", "Below which number will they not sell {i}?"]),
    "brand": (lambda rng: rng.choice("Aldora Brixo Cantor Delmec Everon Fabrix Gronau Hyland Jovic Kestrel Lumina Mirado Nortek Orvane".split()), [
        "What make is {i}?", "Which brand is {i}?", "Whose logo is on {i}?", "Under what brand name is {i} sold?", "Which manufacturer built {i}?", "What brand did we choose for {i}?",
        "Who is the maker of {i}?"]),
    "inventor": (w.person, [
        "Who invented {i}?", "Whose invention is {i}?", "Who came up with {i}?", "Who first had the idea for {i}?", "Who thought up {i}?", "Who is the inventor of {i}?",
        "Who holds the patent on {i}?"]),
    "finish": (lambda rng: rng.choice("matt|glossy|satin|polished|brushed|rough|lacquered|waxed|galvanised|oiled".split("|")), [
        "Is {i} matt or glossy?", "What does the surface of {i} look like?", "How was the surface of {i} treated?", "Which finish does {i} have?", "Does the outside of {i} gleam?",
        "Is the surface of {i} polished or left rough?", "What finish did we order for {i}?"]),
    "smell": (lambda rng: rng.choice("lemon|lavender|vinegar|almonds|nothing|roses|smoke|pine|mint|garlic|vanilla|rotten eggs".split("|")), [
        "What does {i} smell of?", "How does {i} smell?", "What scent does {i} have?", "If I sniff at {i}, what do I notice?", "Which perfume is in {i}?", "What is the smell of {i} like?"]),
    "pattern": (lambda rng: rng.choice("striped|plain|dotted|checked|floral|zigzag|camouflage|paisley|tartan|herringbone".split("|")), [
        "Is {i} striped or plain?", "What pattern does {i} have?", "What is printed on the cloth of {i}?", "Does {i} have stripes?", "Which pattern did they choose for {i}?",
        "Is there a pattern on {i}?", "Which print is on {i}?"]),
    "cleaning": (lambda rng: rng.choice("damp cloth|dry brush|soap and water|alcohol wipe|dishwasher|compressed air|steam|vacuum cleaner|hand wash|glass cleaner".split("|")), [
        "How do I clean {i}?", "What do I wipe {i} with?", "How do I get the dirt off {i}?", "What is best for washing {i}?", "With what is {i} cleaned?", "Can {i} go into the dishwasher?",
        "There is dust on {i}, what do I use?"]),
    "tool": (lambda rng: rng.choice("hex key|screwdriver|spanner|pliers|hammer|no tool|socket wrench|knife|crowbar|torx key|saw".split("|")), [
        "With which tool do I open {i}?", "What do I need to take {i} apart?", "Do I need a screwdriver for {i}?", "What tool belongs in my hand when I mend {i}?",
        "Which tool do I bring to fit {i}?", "What do I use to loosen {i}?", "What tool does the work on {i} call for?"]),
    "assembly": (lambda rng: rng.choice([f"{rng.choice([10, 15, 20, 25, 30, 40, 45, 50, 90])} minutes", f"{rng.randint(2, 8)} hours"]), [
        "How long does it take to put {i} together?", "How fast can {i} be built up?", "How much time must the fitter plan to set up {i}?", "How long does the assembly of {i} take?",
        "In what time do two people assemble {i}?", "How long do we need for mounting {i}?"]),
    "charging time": (lambda rng: rng.choice([f"{rng.choice([20, 30, 40, 45, 50, 75, 80, 90])} minutes", f"{rng.randint(2, 14)} hours"]), [
        "How long does {i} need to charge?", "How long must {i} stay plugged in until it is full?", "How quickly does {i} charge?", "When {i} is empty, how long until it is full again?",
        "What is the charging time of {i}?", "How long do I leave {i} on the charger?", "How many hours does charging {i} take?"]),
    "melting point": (lambda rng: f"{rng.randint(30, 1900)} °C", [
        "At how many degrees does {i} melt?", "When does {i} turn liquid?", "How hot must the oven be to melt {i}?", "What is the melting point of {i}?",
        "How much heat can {i} take before it melts?", "At which heat does {i} become soft and flow?"]),
    "hardness": (lambda rng: rng.choice([f"{rng.randint(20, 68)} HRC", f"Mohs {rng.randint(1, 10)}", f"Shore {rng.randint(20, 95)}"]), [
        "How hard is the material of {i}?", "Does {i} scratch easily?", "What hardness does {i} have?", "Which value did the hardness test of {i} give?", "How well does {i} resist scratches?",
        "Is {i} hard enough to cut glass?"]),
    "acidity": (lambda rng: f"pH {rng.randint(1, 13)}.{rng.randint(0, 9)}", [
        "What pH does {i} have?", "How acidic is {i}?", "How sour is {i} on the pH scale?", "Is {i} an acid or a base?", "What does the test strip show for {i}?",
        "Is {i} neutral, acid or alkaline?", "How much acid is there in {i}?"]),
    "hazard": (lambda rng: rng.choice("flammable|toxic|corrosive|explosive|hot surface|sharp edges|electric shock|slippery|crushing|laser light|irritant|none".split("|")), [
        "What is dangerous about {i}?", "How could {i} hurt me?", "Which warning sign is on {i}?", "What danger comes from {i}?", "Is it risky to be near {i}?", "What hazard is noted for {i}?",
        "Why should I be careful with {i}?"]),
    "protection": (lambda rng: rng.choice("gloves|goggles|ear plugs|helmet|face mask|apron|safety shoes|face shield|gloves and goggles|harness".split("|")), [
        "What must I wear when I work with {i}?", "Do I need gloves for {i}?", "Which protective gear goes with {i}?", "What do I put on before I touch {i}?",
        "How do I protect myself while using {i}?", "What safety gear is required for {i}?"]),
    "extinguisher": (lambda rng: rng.choice("foam|powder|water|CO2|sand|fire blanket|wet chemical|water mist".split("|")), [
        "With what do I put out {i} if it burns?", "What do I use when {i} catches fire?", "Which extinguisher belongs next to {i}?", "If {i} is in flames, foam or powder?",
        "How do I fight a fire at {i}?", "What kind of extinguisher works on {i}?"]),
    "disposal": (lambda rng: rng.choice("yellow bin|paper bin|glass container|hazardous waste|electronic waste|compost|scrap metal|residual waste|return to shop|recycling yard".split("|")), [
        "How do I get rid of {i}?", "Into which bin does {i} go?", "Where do I throw {i} when it is finished?", "What happens with {i} at the end, which waste is it?", "How is {i} disposed of?",
        "Can I put {i} into the household rubbish?", "In what kind of waste does {i} belong?"]),
    "emissions": (lambda rng: f"{rng.randint(5, 290)} g CO2 per km", [
        "How much CO2 does {i} put out?", "How bad is {i} for the climate?", "What comes out of the exhaust of {i}?", "How high are the emissions of {i}?",
        "How clean is {i} when it comes to CO2?", "How much carbon dioxide does {i} make per kilometre?"]),
    "energy class": (lambda rng: rng.choice("A A+ A++ A+++ B C D E F G".split()), [
        "How efficient is {i}?", "Which energy class is {i}?", "What letter is on the energy label of {i}?", "Is {i} an energy saver?", "In which efficiency class is {i}?",
        "What does the energy label say about {i}?", "Does {i} waste energy, going by its class?"]),
    "consumption": (lambda rng: f"{rng.randint(2, 28)}.{rng.randint(0, 9)} l per 100 km", [
        "How thirsty is {i}?", "How many litres does {i} use on 100 km?", "How much does {i} burn on a hundred kilometres?", "What is the consumption of {i} on the road?",
        "How much petrol does {i} swallow on a long drive?", "How economical is {i} on a trip?"]),
    "mileage": (lambda rng: f"{rng.randint(1, 280)},{rng.randint(0, 999):03d} km", [
        "How many kilometres has {i} done?", "How far has {i} been driven so far?", "What does the odometer of {i} show?", "What is the mileage of {i}?",
        "How many kilometres are on the clock of {i}?", "What distance has {i} covered since it was new?"]),
    "range": (lambda rng: f"{rng.choice([rng.randint(10, 99), rng.randint(100, 950)])} {rng.choice(['km', 'km', 'm'])}", [
        "How far does {i} get?", "How far away can I be for {i} to still work?", "What is the range of {i}?", "What distance does {i} manage without stopping to refill?",
        "How many kilometres can I go with {i} before it is empty?", "Over what distance does {i} reach?"]),
    "gears": (lambda rng: f"{rng.choice([1, 3, 5, 6, 7, 8, 9, 10, 11, 18, 21, 24, 27])}", [
        "How many gears does {i} have?", "How many speeds can I shift through on {i}?", "Has {i} got gears, and how many?", "Into how many gears can {i} be put?",
        "What is the number of gears on {i}?", "Up to which gear can I shift {i}?"]),
    "tyres": (lambda rng: rng.choice("winter|summer|all-season|studded|solid rubber|off-road|racing|slick|gravel".split("|")), [
        "Which tyres are on {i}?", "Is {i} ready for snow?", "Does {i} have winter tyres?", "What does {i} roll on?", "What kind of tyres does {i} have?", "Which type of tyre was fitted to {i}?",
        "Summer or winter tyres, which are on {i}?"]),
    "brightness": (lambda rng: f"{rng.choice([80, 120, 250, 400, 470, 600, 806, 900, 1100, 1500, 2200, 3000])} lumens", [
        "How bright is {i}?", "How much light does {i} give?", "How many lumens does {i} have?", "Is {i} bright enough to light a room?", "How strongly does {i} shine in the dark?",
        "What brightness does {i} reach?", "Does {i} give a lot of light?"]),
    "fuse": (lambda rng: f"{rng.choice([1, 2, 3, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 63])} A", [
        "How many amps may {i} be fused with?", "Which fuse do I put into {i}?", "The fuse of {i} has blown, which one do I need?", "With how many amperes is {i} protected?",
        "What fuse does {i} take?", "How strong is the fuse for {i}?"]),
    "water resistance": (lambda rng: rng.choice(["IP44", "IP54", "IP65", "IP67", "IP68", "splash proof", "rain proof", "not waterproof", "down to 10 m", "down to 50 m"]), [
        "Can {i} get wet?", "Is {i} waterproof?", "What happens if {i} is left in the rain, is it sealed?", "May I take {i} into the shower?", "How well does {i} stand up to water?",
        "Can I dive with {i}?", "Does rain harm {i}?"]),
    "accuracy": (lambda rng: rng.choice([f"0.{rng.randint(1, 9)} mm", f"0.0{rng.randint(1, 9)} mm", f"± {rng.randint(1, 5)} %", f"± 0.{rng.randint(1, 9)} g"]), [
        "How precise is {i}?", "How exactly does {i} measure?", "By how much can {i} be off?", "What error do I expect when measuring with {i}?", "How accurate is {i}?",
        "How far can I trust the readings of {i}?", "What tolerance does {i} have?"]),
    "calibration": (lambda rng: f"{rng.choice(w.MONTHS)} {rng.randint(2021, 2026)}", [
        "When was {i} last calibrated?", "How recent is the calibration of {i}?", "How long ago was {i} calibrated, in which month?", "In which month did the lab calibrate {i}?",
        "What does the calibration sticker on {i} say?", "When was {i} last set against the standard?"]),
    "lifespan": (lambda rng: rng.choice([f"{rng.randint(2, 40)} years", f"{rng.choice([500, 1000, 5000, 10000, 25000, 50000])} hours of use"]), [
        "How many years will {i} last?", "After how much use is {i} worn out?", "How long can we expect {i} to live?", "What is the lifespan of {i}?",
        "How long does {i} last before we need a new one?", "How durable is {i}?", "For how many years of work is {i} good?"]),
    "elevation": (lambda rng: f"{rng.randint(2, 3900)} m above sea level", [
        "How high above the sea is {i}?", "At what altitude is {i}?", "How far up the mountain is {i}?", "What elevation does {i} have?", "Is {i} low down by the sea or up in the mountains?",
        "How many metres above sea level is {i}?"]),
    "population": (lambda rng: f"{rng.randint(1, 950)},{rng.randint(0, 999):03d}", [
        "How many people live in {i}?", "How many inhabitants does {i} count?", "What is the population of {i}?", "Is {i} a village or a city, by its number of people?",
        "How many residents are there in {i}?", "How many souls call {i} home?"]),
    "mayor": (w.person, [
        "Who is the mayor of {i}?", "Who governs {i}?", "Who was elected to head the town hall of {i}?", "Which politician runs {i}?", "What is the mayor of {i} called?",
        "Who leads the council in {i}?"]),
    "time zone": (lambda rng: f"UTC{rng.choice(['+', '-'])}{rng.randint(1, 11)}", [
        "Which time zone is {i} in?", "How many hours is {i} ahead of us or behind us?", "By what zone are the clocks of {i} set?", "What is the time difference to {i}?",
        "In what time zone does {i} run?", "To which zone do I set my watch for {i}?"]),
    "habitat": (lambda rng: rng.choice("rainforest|desert|coral reef|swamp|tundra|river bank|pine forest|grassland|deep sea|caves|mangroves".split("|")), [
        "Where in nature does {i} live?", "Does {i} live in the sea or on land?", "What habitat does {i} prefer?", "In what surroundings would I meet {i} in the wild?",
        "Where in the wild is {i} at home?", "Is {i} an animal of the forest or of the desert?"]),
    "diet": (lambda rng: rng.choice("insects|grass|fish|seeds|leaves|fruit|plankton|small mammals|worms|nectar|carrion|roots".split("|")), [
        "What does {i} eat?", "What do I feed to {i}?", "On what does {i} live as food?", "What does {i} like to nibble?", "Is {i} a meat eater or a plant eater?", "What food does {i} get?",
        "What is on the menu of {i}?"]),
    "predators": (lambda rng: rng.choice("foxes|owls|sharks|snakes|lynx|eagles|wolves|cats|pike|none|seals|martens".split("|")), [
        "Who hunts {i}?", "Which animals does {i} have to fear?", "By what is {i} eaten?", "What are the natural enemies of {i}?", "Which predators go after {i}?",
        "From which hunter does {i} run away?"]),
    "flowering": (lambda rng: f"{rng.choice(w.MONTHS[1:6])} to {rng.choice(w.MONTHS[6:10])}", [
        "When does {i} bloom?", "In which months does {i} have flowers?", "When will I see blossoms on {i}?", "What is the flowering time of {i}?", "From when to when does {i} flower?",
        "In what season is {i} in bloom?"]),
    "watering": (lambda rng: rng.choice("daily|twice a week|once a week|every ten days|every two weeks|rarely|every other day|once a month".split("|")), [
        "How often do I water {i}?", "How often should {i} get a drink?", "How often does {i} need water?", "When should I take the watering can to {i}?",
        "I am on holiday, how often must someone water {i}?", "Does {i} have to be watered every day?"]),
    "sunlight": (lambda rng: rng.choice("full sun|half shade|shade|bright window|morning sun|indirect light|dark corner".split("|")), [
        "Does {i} like sun or shade?", "How much sun does {i} want?", "Should {i} stand in the shade?", "Which light does {i} grow best in?", "Can I put {i} at a sunny window?",
        "What light suits {i}?"]),
    "soil": (lambda rng: rng.choice("sandy|clay soil|loam|peat|chalky|gravel|humus|dry and stony|moist and rich".split("|")), [
        "In what earth do I plant {i}?", "Which soil does {i} grow in?", "What ground is good for {i}?", "Does {i} like sandy ground?", "What do I fill the pot with for {i}?",
        "What kind of soil does {i} want?", "In which earth does {i} thrive?"]),
    "harvest": (lambda rng: f"{rng.choice(['early', 'mid', 'late'])} {rng.choice(w.MONTHS[4:11])}", [
        "When is {i} ripe?", "When can I pick {i}?", "When do the farmers bring in {i}?", "In which month is {i} harvested?", "When is harvest time for {i}?",
        "At what time of year do we gather {i}?"]),
    "alcohol": (lambda rng: f"{rng.randint(0, 60)}.{rng.choice('0 5'.split())} % vol", [
        "How many percent of alcohol does {i} have?", "Will I get drunk from {i}?", "How much alcohol is in {i}?", "Can I still drive after drinking {i}, how many percent is it?",
        "What is the alcohol content of {i}?", "How strong a drink is {i}?", "Is {i} free of alcohol?"]),
    "baking time": (lambda rng: f"{rng.choice([8, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50, 55, 60, 75, 90])} minutes", [
        "How long does {i} stay in the oven?", "When do I take {i} out of the oven?", "For how long do I bake {i}?", "To what do I set the kitchen timer for {i}?", "How long must {i} bake?",
        "How many minutes does {i} need at full oven heat?", "What is the baking time of {i}?"]),
    "servings": (lambda rng: f"{rng.randint(1, 16)} portions", [
        "How many portions does {i} give?", "How many plates can I fill with {i}?", "How many hungry guests does {i} feed?", "How many servings are in {i}?",
        "Is {i} enough food for the whole family?", "How many eaters get full from {i}?"]),
    "side dish": (lambda rng: rng.choice("rice|potatoes|salad|bread|noodles|beans|fries|red cabbage|dumplings|couscous|peas".split("|")), [
        "What is served with {i}?", "What do I get on the plate next to {i}?", "Does {i} come with fries or salad?", "What side dish goes with {i}?", "What do people eat along with {i}?",
        "Which side is there to {i}?", "With what does the kitchen serve {i}?"]),
    "speaker": (w.person, [
        "Who gives the talk at {i}?", "Who speaks at {i}?", "Who is on stage at {i}?", "Who holds the lecture on {i}?", "Who is the speaker for {i}?", "Whom will we hear talking at {i}?"]),
    "minimum age": (lambda rng: f"{rng.choice([3, 4, 6, 7, 8, 10, 12, 14, 16, 18, 21])} and over", [
        "From what age may children use {i}?", "How old must I be for {i}?", "Is {i} suitable for toddlers?", "Are kids allowed near {i}, and from which age?", "What is the minimum age for {i}?",
        "May my ten-year-old have a go on {i}?", "For which age and up is {i} meant?"]),
    "winner": (w.person, [
        "Who won {i}?", "Who came first in {i}?", "Who took home the cup of {i}?", "Who was the best at {i}?", "Who is the winner of {i}?", "Whom do we congratulate on {i}?",
        "Who beat all the others in {i}?"]),
    "score": (lambda rng: f"{rng.randint(0, 9)} to {rng.randint(0, 9)}", [
        "What was the final result in {i}?", "How did the match {i} end?", "What was the score in {i}?", "How many goals fell in {i}?", "With which score did {i} finish?",
        "How high did they win in {i}?"]),
    "progress": (lambda rng: rng.choice([f"{rng.randint(1, 99)} % done", "not started", "half done", "finished", "nearly finished"]), [
        "How far along is {i}?", "How much of the work on {i} is done?", "Is {i} finished yet?", "How are we getting on with {i}?", "What share of {i} is complete?",
        "Have they even begun with {i}?", "How much progress has {i} made?"]),
    "priority": (lambda rng: rng.choice("low|normal|high|urgent|critical|P1|P2|P3|can wait|top".split("|")), [
        "How urgent is {i}?", "Should I do {i} first?", "Can {i} wait?", "How important is {i}?", "What priority does {i} have?", "Where does {i} rank on our to-do list?",
        "Is {i} something to drop everything else for?"]),
    "deadline": (w.date, [
        "By when must {i} be ready?", "How much time do I have left to finish {i}, until when?", "What is the deadline for {i}?", "What is the last day for completing {i}?",
        "Until when do I have to get {i} done?", "When is it too late to hand in {i}?"]),
    "substitute": (lambda rng: rng.choice("hand saw|spare laptop|margarine|paper form|old printer|oat milk|bicycle|rental van|plastic sheet|borrowed pump|honey|torch".split("|")), [
        "What can I take instead of {i}?", "What do we use while {i} is away?", "Is there anything that replaces {i}?", "What is the substitute for {i}?", "If {i} is missing, what else will do?",
        "With what could I swap {i}?", "What is a good stand-in for {i}?"]),
    "format": (lambda rng: rng.choice("PDF DOCX PNG MP3 CSV HTML EPUB JPEG SVG MP4 XLSX JSON".split()), [
        "What kind of file is {i}?", "Is {i} a PDF?", "In which format is {i} saved?", "Which ending does the file of {i} have?", "What file type do I get for {i}?",
        "In which file format do they send {i}?", "How is {i} stored on disk, as which type?"]),
    "font": (lambda rng: rng.choice("Arial|Garamond|Helvetica|Courier|Futura|Times New Roman|Georgia|Verdana|Bodoni|Calibri".split("|")), [
        "In which typeface is {i} set?", "What font does {i} use?", "Which letters did the printer take for {i}?", "How do the letters on {i} look, which font is it?", "Is {i} written in Arial?",
        "What typeface should I choose for the text of {i}?"]),
    "open bugs": (lambda rng: str(rng.randint(0, 180)), [
        "How many errors are left in {i}?", "How buggy is {i}?", "How many bugs of {i} are still to be fixed?", "Are there unsolved bugs in {i}?",
        "How many tickets about faults are open for {i}?", "How many known faults does {i} still have?"]),
    "prescription": (lambda rng: rng.choice("required|not required|only for children|yes|no|above 400 mg".split("|")), [
        "Do I need a doctor's note for {i}?", "Can I buy {i} over the counter?", "Must a doctor prescribe {i}?", "Is {i} sold without a prescription?",
        "Does the chemist ask for a prescription when I want {i}?", "Is there a prescription needed for {i}?"]),
    "instrument": (lambda rng: rng.choice("violin|piano|flute|cello|guitar|trumpet|harp|organ|oboe|drums|accordion|clarinet".split("|")), [
        "On which instrument is {i} played?", "Is {i} for piano or for violin?", "What do I have to be able to play for {i}?", "For what instrument was {i} composed?",
        "Which musician do we need for {i}?", "What instrument do we hear in {i}?"]),
    "borrower": (w.person, [
        "Who has borrowed {i}?", "To whom did we lend {i}?", "Who took {i} home last week?", "Who still has to give {i} back?", "In whose hands is {i} on loan?",
        "Who is using {i} on loan right now?", "Who checked out {i}?"]),
    "due back": (lambda rng: f"{rng.choice(w.DAYS)}, {w.date(rng)}", [
        "When do I have to bring {i} back?", "Until when may I keep {i} on loan?", "When does the loan of {i} end?", "By what day must {i} be returned?", "When do we get {i} back?",
        "On what day is {i} due back?"]),
    "lock": (lambda rng: rng.choice("padlock|key|combination|chip card|fingerprint|magnetic card|bolt|no lock|bicycle chain|PIN pad".split("|")), [
        "How is {i} locked?", "What keeps thieves from opening {i}?", "Do I need a key to get {i} open?", "How do I unlock {i}?", "What kind of lock is on {i}?", "Is {i} secured with a padlock?",
        "With what do I lock {i} at night?"]),
}

QUESTIONS = {
    "price": ["What is {i} going for?", "How much do they want for {i}?", "For how much is {i} sold?", "What do you charge for {i}?", "Can I afford {i}, how much is it?", "What price tag is on {i}?"],
    "cost": ["How much do we have to lay out for {i}?", "What are the costs for {i}?", "What does {i} come to?", "How big is the bill for {i}?", "What sum do I plan for {i}?", "How costly is {i}?"],
    "approval": ["Whose signature is needed for {i}?", "Who has the last word on {i}?", "Who has to say yes to {i}?", "Who gives permission for {i}?", "Whom do I ask to approve {i}?",
        "With whose consent can I get {i}?"],
    "owner": ["Who does {i} belong to?", "Whose property is {i}?", "I found {i}, whose is it?", "Under whose name is {i} registered?", "Who can call {i} their own?",
        "Which person has {i} as their property?"],
    "contact": ["To whom do I turn with a problem about {i}?", "Who knows about {i}?", "I have a question on {i}, who can tell me more?", "Whom should I get in touch with about {i}?",
        "Who is there for questions around {i}?", "What is the name of the contact person for {i}?"],
    "location": ["Where do I have to go for {i}?", "I cannot find {i}, where is it?", "Where did they put {i}?", "In which part of the building is {i}?", "Where would I look for {i}?",
        "On which floor do I find {i}?"],
    "stock": ["How many of {i} have we got?", "How many units of {i} are in the warehouse?", "Are we running out of {i}?", "Do we still have enough of {i}?",
        "What number of {i} is available right now?", "How many of {i} did the last count show?"],
    "delivery": ["If I order {i} now, how long until I get it?", "How long does it take to ship {i}?", "How long will I be waiting for {i} after the order?", "In what time can you deliver {i}?",
        "How long is {i} on its way to us?", "What delivery time do they promise for {i}?"],
    "supplier": ["Where does our shop order {i}?", "Which company do we buy {i} from?", "Who ships {i} to us?", "Who provides us with {i}?", "From which dealer is {i}?",
        "To which firm do I send the order for {i}?"],
    "colour": ["What does {i} look like, which colour?", "What tint is {i}?", "In which shade is {i} painted?", "I am looking for {i}, what colour should I look out for?", "What paint is on {i}?",
        "Which colour did we pick for {i}?"],
    "warranty": ["If {i} breaks, how long is the maker liable?", "What guarantee comes with {i}?", "For what time does the maker vouch for {i}?", "How long can I claim a free repair of {i}?",
        "Is {i} still covered, how long does the guarantee run?", "How many months or years of warranty has {i}?"],
    "date": ["Which date is written down for {i}?", "When is {i} due to take place?", "What should I put in my calendar for {i}?", "On which date will {i} be held?", "When exactly is {i}?",
        "What is the day of {i}?"],
    "weight": ["How much does {i} weigh on the scales?", "Is {i} heavy?", "How many kg does {i} have?", "How many kilograms am I lifting with {i}?", "What do the scales show for {i}?",
        "Is {i} light enough to carry under my arm?"],
    "phone": ["What do I dial to get through to {i}?", "Can I have the phone number for {i}?", "What telephone line is {i} on?", "I want to ring {i}, what is the number?",
        "Which telephone number belongs to {i}?", "How do I get {i} on the phone?"],
    "code": ["What do I type in for {i}?", "What code did {i} get?", "How is {i} coded?", "By which code do I find {i} in the list?", "Please give me the code for {i}, what is it?",
        "Which code stands for {i}?"],
    "length": ["Does {i} fit into a van, how long is it?", "How far does {i} stretch from one end to the other?", "How many metres does {i} measure lengthwise?", "How long a piece is {i}?",
        "If I lay {i} on the floor, how long is it?", "What does the tape measure say along {i}?"],
    "height": ["How far is it from the floor to the top of {i}?", "Does {i} fit under a table, how high is it?", "How many centimetres high is {i}?", "How far up does {i} reach?",
        "Is {i} too tall for the shelf?", "How tall does {i} stand?"],
    "capacity": ["What volume does {i} have?", "How many litres can I pour into {i}?", "How much water goes into {i}?", "When is {i} full, at how many litres?", "How much liquid does {i} hold?",
        "How much room is there inside {i}?"],
    "speed": ["How many km/h does {i} manage?", "At what speed does {i} move?", "How quick is {i} at full throttle?", "How fast can I go with {i}?", "Is {i} slow or fast?",
        "What does the speedometer of {i} go up to?"],
    "power": ["How many watts does {i} have?", "How powerful is {i}?", "What wattage is {i}?", "How much power does {i} pull from the socket?", "How much does {i} load the mains, in watts?",
        "What output does the motor of {i} have?"],
    "voltage": ["How many volts does {i} need?", "Which voltage is right for {i}?", "Can I run {i} at the normal socket, how many volts?", "What voltage do I set on the power supply for {i}?",
        "For what mains voltage is {i} built?", "How many volts go into {i}?"],
    "material": ["From what is {i} made?", "Is {i} wood or metal?", "What did they build {i} from?", "What kind of material was used for {i}?", "Out of what is {i} produced?",
        "What does {i} consist of?"],
    "country": ["Where was {i} made?", "From which country do we import {i}?", "In what part of the world is {i} produced?", "Which country is stamped on {i}?",
        "What country of origin does {i} have?", "Where was {i} built, in what country?"],
    "language": ["In what tongue is {i}?", "Which language must I know for {i}?", "What language do they speak in {i}?", "Is {i} in a language that I can read?",
        "What language should I set for {i}?", "In which language do we have {i}?"],
    "version": ["What version is {i}?", "On which version is {i} at the moment?", "Which version number does {i} show?", "Is {i} up to date, what version is it?",
        "To what version was {i} updated?", "What release of {i} is installed?"],
    "author": ["Whose book is {i}?", "From whose pen is {i}?", "Who put {i} on paper?", "What is the name of the writer of {i}?", "Which writer do we thank for {i}?",
        "Who was the person who wrote {i}?"],
    "pages": ["How many pages long is {i}?", "How many sheets do I print for {i}?", "What is the page count of {i}?", "How long is {i} in pages?", "How many pages must I read in {i}?",
        "On how many pages is {i} described?"],
    "rating": ["How do the customers rate {i}?", "How was {i} reviewed?", "Is {i} well liked, how many points did it get?", "Can you recommend {i}, how is it rated?",
        "What marks did {i} get from its users?", "How many points of five does {i} score?"],
    "condition": ["How well preserved is {i}?", "Is {i} new or used?", "Is {i} broken?", "How worn is {i}?", "What state is {i} in?", "Does {i} still look good?"],
    "interval": ["After how long must {i} be serviced again?", "How much time passes between two services of {i}?", "How regularly is {i} looked after?",
        "When is the next service of {i} due, after what time?", "Every how many weeks or months is {i} maintained?", "What is the gap between two checks of {i}?"],
    "temperature": ["How many degrees does {i} need?", "To how many degrees do I set the store for {i}?", "How warm may {i} get in storage?", "What temperature is right for {i}?",
        "At how many degrees do we keep {i}?", "Does {i} belong in the fridge, how cold?"],
    "deposit": ["What must I put down before I get {i}?", "How much money do I get back when I return {i}?", "How high is the deposit on {i}?", "What do they keep as security for {i}?",
        "What sum do I leave with them when I take {i}?", "How much deposit is asked for {i}?"],
    "discount": ["How many percent off is {i}?", "What rebate do I get on {i}?", "How much cheaper is {i} in the sale?", "Is there money off {i}?", "By how many percent was {i} marked down?",
        "How good is the sale offer on {i}?"],
    "department": ["Which team works with {i}?", "What department is {i} in?", "To which department was {i} given?", "Which part of the company has {i}?", "Under which department does {i} fall?",
        "In which division do they use {i}?"],
    "licence": ["What licence does one need to drive {i}?", "Which class of licence is {i}?", "Can I use {i} without a licence?", "Which permit must the operator of {i} hold?",
        "What papers must I have to operate {i}?", "For which licence class is {i}?"],
    "fuel": ["What do I put in the tank of {i}?", "Does {i} take diesel or petrol?", "With what is {i} fired?", "Which fuel do I buy for {i}?", "What is the fuel of {i}?",
        "What do I tank up {i} with?"],
    "battery": ["When is {i} out of charge?", "How long can I use {i} without a socket?", "How long does a full battery of {i} last?", "After how long is the battery of {i} flat?",
        "How long does {i} keep going without the charger?", "How much battery time does {i} have?"],
    "noise": ["How many decibels does {i} make?", "Will {i} wake the neighbours, how loud is it?", "Is {i} quiet?", "What sound level does {i} have?", "How noisy is {i}?",
        "What did the decibel meter show beside {i}?"],
    "age": ["How many years old is {i}?", "For how many years has {i} existed?", "Is {i} old, how many years?", "How long ago was {i} built?", "How many years has {i} been around?",
        "How many years does {i} have behind it?"],
    "seats": ["How many people can sit in {i}?", "How many seats are there in {i}?", "For how many passengers is there room in {i}?", "How many of us can ride in {i}?",
        "Can all of us sit in {i}, how many places are there?", "How many chairs belong to {i}?"],
    "inspector": ["Who did the inspection of {i}?", "By whom was {i} inspected?", "Who looked {i} over?", "Who tests whether {i} is safe?", "Which inspector was at {i}?",
        "Who put the test mark on {i}?"],
    "website": ["Under which web address do I find {i}?", "Where online can I read about {i}?", "What is the link to {i}?", "Which site is about {i}?", "What do I enter in the browser for {i}?",
        "Has {i} got a homepage?"],
    "insurance": ["Which company pays if {i} is damaged?", "Who is the insurer of {i}?", "With which firm do we have a policy for {i}?", "Where do I report damage to {i}, which insurer?",
        "Which insurer covers {i}?", "Who pays if {i} is stolen, which insurance?"],
    "diameter": ["How many millimetres across is {i}?", "How big is the round part of {i} in millimetres?", "What does the caliper show across {i}?", "What is the diameter of {i}?",
        "How wide a hole does {i} need?", "Is {i} thick or thin, how many millimetres?"],
    "size": ["Will {i} fit me, what size is it?", "What size do I order {i} in?", "In which size do we have {i}?", "What does the label of {i} say, S, M or L?", "Which clothes size is {i}?",
        "Do we have {i} in large?"],
}

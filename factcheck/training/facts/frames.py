"""Sentences that state one quantity, and sentences that state two of the same kind."""

__all__ = ["COUNTED", "DOUBLE", "FRAMES", "SUBJECTS"]


def _the(things: str) -> tuple[str, ...]:
    """ "the trail", "the ferry route", …; an underscore stands for a space."""
    return tuple(f"the {thing.replace('_', ' ')}" for thing in things.split())


#: What the subjects of frames are called; a frame takes one list.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "structure": _the(
        """new_bridge old_bridge railway_bridge city_wall sea_wall main_tower church_tower TV_tower radio_mast water_tower cable_car
        suspension_bridge city_gate stone_arch wind_turbine high-rise_building office_block grain_silo castle_tower royal_palace"""
    ),
    "route": _the(
        """trail river canal tunnel road railway pipeline motorway footpath fence border coast ferry_route cycle_path runway queue
        tram_line wall race marathon_course parade"""
    ),
    "place": _the(
        """park farm forest lake island estate reserve airport plot garden vineyard factory_site glacier marsh nature_reserve stadium
        site"""
    ),
    "load": _the(
        """ship truck parcel statue bell elephant calf pumpkin satellite engine container cargo rock meteorite baby fish cake drone
        crane"""
    ),
    "event": _the(
        """meeting flight strike trial siege festival journey crossing surgery hearing search blackout truce match debate heatwave
        closure concert curfew lockdown ceremony talk operation exhibition power_cut drought negotiation voyage interview"""
    ),
    "vehicle": _the("train car storm cyclist plane ferry driver drone motorbike wind cheetah bus"),
    "plant": _the("power_station solar_farm dam wind_farm reactor generator plant engine turbine"),
    "vessel": _the("tank barrel reservoir bottle pool spill bucket boiler cistern jug"),
    "costly": _the(
        """bridge stadium house painting contract deal ring necklace bail-out project tunnel ticket repair programme fine wedding
        campaign museum satellite railway renovation rescue hospital film settlement loan grant damage shirt violin stamp"""
    ),
    "payer": (
        *("{company}",) * 3,
        "{country}",
        "the city of {city}",
        "{person}",
        *_the("ministry bank club foundation"),
    ),
    "person": (*("{person}",) * 6, *_the("suspect singer mayor victim pilot winner witness"), "his brother"),
    "area": (*("{country}", "{city}") * 2, *_the("region province island district country")),
    "firm": (*("{company}",) * 5, *_the("factory airline hospital school ministry university port bank")),
    "price": tuple(
        """Prices|Rents|Wages|Exports|Imports|Sales|Profits|House prices|Food prices|Fuel prices|Unemployment|Tourist numbers|Emissions|\
Car sales|Energy bills|Turnout|Output|Shares in {company}|Crime in {city}|Rainfall in {country}|Inflation in {country}|Bread prices|\
Steel output|Rail fares|Taxes|Milk prices|Revenue at {company}|Traffic in {city}|Births in {country}""".split("|")
    ),
}

#: (kind of quantity, sentence, list of subjects).
FRAMES: tuple[tuple[str, str, str], ...] = tuple(
    (kind, sentence, subject)
    for line in """
length|structure|{s} is {q} high;{s} is {q} tall;{s} is {q} wide;{s} rises {q} above the ground;{s} stands {q} tall
length|route|{s} is {q} long;{s} stretches for {q};{s} runs for {q};{s} covers {q};{s} was extended by {q}
mass|load|{s} weighs {q};{s} weighed {q};{s} has a mass of {q};{s} weighs in at {q}
duration|event|{s} lasted {q};{s} took {q};{s} went on for {q};{s} will last {q};{s} was over after {q}
years|event|{s} lasted {q};{s} has been going on for {q};{s} took {q}
years|person|{s} was jailed for {q};{s} lived in {city} for {q};{s} spent {q} in prison;{s} worked there for {q};{s} was banned for {q}
area|place|{s} covers {q};{s} has an area of {q};{s} spans {q};{s} takes up {q}
volume|vessel|{s} holds {q};{s} contains {q};{s} lost {q};{s} can take {q}
speed|vehicle|{s} reached {q};{s} was doing {q};{s} travelled at {q};{s} hit a top speed of {q}
power|plant|{s} produces {q};{s} has a capacity of {q};{s} delivers {q};{s} generates up to {q}
money|costly|{s} cost {q};{s} is worth {q};{s} was sold for {q};{s} will cost {q};{s} is priced at {q};{s} was valued at {q}
money|payer|{s} paid {q} for the land;{s} lost {q} last year;{s} made a profit of {q};{s} was fined {q};{s} raised {q};{s} owes {q};{s} \
donated {q} to the hospital;{s} will invest {q} in {city};{s} spent {q} on security;{s} received {q} in aid
percent|price|{s} rose by {q};{s} fell by {q};{s} are up {q};{s} dropped {q};{s} increased by {q};{s} went down by {q};{s} climbed {q}
""".strip().splitlines()
    for kind, subject, sentences in [line.split("|")]
    for sentence in sentences.split(";")
)

#: Sentences that count things: (sentence, things). ``{n}`` takes "527 homes" or a share of them.
COUNTED: tuple[tuple[str, str], ...] = tuple(
    (sentence, thing)
    for line in """
{n} were damaged;{n} were destroyed by the fire;{n} were flooded;{n} were \
evacuated|homes,houses,flats,buildings,shops,farms,schools
{n} were killed;{n} died;{n} were injured;{n} were arrested;{n} are missing;{n} were rescued;{n} were taken to hospital;{n} \
tested positive;\
{n} fell ill;{n} took part;{n} lost their jobs;{n} were hired;{n} were on board|people,workers,passengers,students,soldiers,protesters,\
children,tourists,miners,patients,migrants,sailors,residents,fans,police officers,nurses
{n} visited {a};{n} live in {a};{n} marched in {a};{n} fled {a};{n} work in {a};{n} were moved to \
{a}|people,tourists,visitors,refugees,residents,families
{f} employs {n};{f} sacked {n};{f} hired {n};{f} has {n}|workers,people,engineers,staff members,teachers,drivers
{f} sold {n};{f} recalled {n};{f} delivered {n};{f} produced {n};{f} ordered \
{n}|cars,phones,trucks,tickets,books,laptops,bicycles,planes,toys,machines
{a} has {n};{a} built {n};{a} closed {n};{a} opened \
{n}|schools,hospitals,bridges,libraries,museums,prisons,parks,mosques,churches,stations,hotels
{p} scored {n};{p} won {n};{p} missed {n}|goals,points,medals,titles,matches,games,penalties,races
{p} wrote {n};{p} owns {n};{p} sold {n};{p} found {n}|books,songs,letters,paintings,horses,houses,films,coins
Police found {n};Customs seized {n};Thieves stole {n};Divers recovered {n};Firefighters saved \
{n}|weapons,bikes,paintings,phones,parcels,coins,cars,animals,bottles
The fire destroyed {n};The storm uprooted {n};The quake damaged {n};The flood swept away \
{n}|trees,homes,cars,boats,bridges,shops,tents,crops
The team won {n};The league has {n};The band played {n};The film won {n}|matches,games,clubs,concerts,awards,titles
The hotel has {n};The stadium has {n};The plane has {n};The school has {n}|rooms,seats,pupils,floors,beds,windows,doors
{p} has {n};{p} raised {n};{p} adopted {n}|children,sons,daughters,grandchildren,cats,dogs,sisters
{n} were cancelled;{n} were delayed;{n} landed late|flights,trains,concerts,matches,ferries,operations
{n} voted for the plan;{n} backed the motion;{n} signed the petition;{n} opposed the \
law|members,senators,councillors,voters,people,deputies,doctors
""".strip().splitlines()
    for sentences, things in [line.split("|")]
    for sentence in sentences.split(";")
    for thing in things.split(",")
)

#: Two facts of one kind in one sentence: (evidence, first claim, second claim). ``{x}`` and ``{y}`` are the two values.
DOUBLE: tuple[tuple[str, str, str, str], ...] = tuple(
    tuple(part.strip() for part in line.split("|"))  # type: ignore[misc]
    for line in """
people|{x} people died and {y} were hurt|{x} people died|{y} people were hurt
people|{x} passengers died and {y} survived|{x} passengers died|{y} passengers survived
people|The crash left {x} dead and {y} wounded|The crash left {x} people dead|{y} people were wounded in the crash
people|Police arrested {x} people and fined {y}|Police arrested {x} people|Police fined {y} people
people|{x} members voted for the bill and {y} against it|{x} members voted for the bill|{y} members voted against the bill
people|The school has {x} boys and {y} girls|The school has {x} boys|The school has {y} girls
people|{f} hired {x} workers in {c} and {y} in {d}|{f} hired {x} workers in {c}|{f} hired {y} workers in {d}
people|{f} sold {x} cars in {c} and {y} in {d}|{f} sold {x} cars in {c}|{f} sold {y} cars in {d}
people|The hotel has {x} rooms and {y} parking spaces|The hotel has {x} rooms|The hotel has {y} parking spaces
people|Of the {x} ships, {y} were sunk|There were {x} ships|{y} ships were sunk
people|{p} scored {x} goals in {y} games|{p} scored {x} goals|{p} played {y} games
people|{p} bought {x} horses and {y} cows|{p} bought {x} horses|{p} bought {y} cows
people|The museum showed {x} paintings and {y} sculptures|The museum showed {x} paintings|The museum showed {y} sculptures
people|The fire destroyed {x} homes and damaged {y} others|The fire destroyed {x} homes|The fire damaged {y} homes
people|The team won {x} matches and lost {y}|The team won {x} matches|The team lost {y} matches
year|The {b} opened in {x} and was rebuilt in {y}|The {b} opened in {x}|The {b} was rebuilt in {y}
year|The {b}, built in {x}, was restored in {y}|The {b} was built in {x}|The {b} was restored in {y}
year|The {b} was finished in {x} and burned down in {y}|The {b} was finished in {x}|The {b} burned down in {y}
year|{p} was born in {x} and married in {y}|{p} was born in {x}|{p} married in {y}
year|{p} joined {f} in {x} and left in {y}|{p} joined {f} in {x}|{p} left {f} in {y}
year|{p} was elected in {x} and resigned in {y}|{p} was elected in {x}|{p} resigned in {y}
year|{p} ({x}–{y}) was a painter|{p} was born in {x}|{p} died in {y}
year|{f} was founded in {x} and went bankrupt in {y}|{f} was founded in {x}|{f} went bankrupt in {y}
year|{f} was founded in {x} and moved to {c} in {y}|{f} was founded in {x}|{f} moved to {c} in {y}
year|The law was passed in {x} and repealed in {y}|The law was passed in {x}|The law was repealed in {y}
year|The war began in {x} and ended in {y}|The war began in {x}|The war ended in {y}
year|The film was shot in {x} and released in {y}|The film was shot in {x}|The film was released in {y}
money|{f} made {x} in {c} and {y} in {d}|{f} made {x} in {c}|{f} made {y} in {d}
money|The budget rose from {x} to {y}|The budget was {x} before|The budget rose to {y}
money|{p} paid {x} for the house and {y} for the car|{p} paid {x} for the house|{p} paid {y} for the car
money|The repair cost {x}, the new roof {y}|The repair cost {x}|The new roof cost {y}
percent|{x} voted yes and {y} voted no|{x} voted yes|{y} voted no
percent|Prices rose {x} in {c} and {y} in {d}|Prices rose {x} in {c}|Prices rose {y} in {d}
percent|Unemployment fell from {x} to {y}|Unemployment was {x} before|Unemployment fell to {y}
percent|{x} of men and {y} of women smoke|{x} of men smoke|{y} of women smoke
length|The tower is {x} high and the dome {y}|The tower is {x} high|The dome is {y} high
length|The river is {x} long and the canal {y}|The river is {x} long|The canal is {y} long
length|The field is {x} long and {y} wide|The field is {x} long|The field is {y} wide
mass|The mother weighs {x} and the calf {y}|The mother weighs {x}|The calf weighs {y}
duration|The trip took {x} and the return {y}|The trip took {x}|The return took {y}
""".strip().splitlines()
)

"""Relations of two, and what countries, companies, people and bodies do: verbs with their forms."""

from typing import NamedTuple

__all__ = ["ACTS", "COMPARISONS", "RELATIONS", "SYMMETRIC", "Act", "Relation"]


class Relation(NamedTuple):
    """A relation that, once it holds one way, does not hold the other way of the same event.

    Attributes:
        who: what its two sides are ("person", "country", "company", "team").
        past: "{a} beat {b}".
        passive: "{b} was beaten by {a}".
        inverse: another sentence that says the same with the sides changed, or "".
    """

    who: str
    past: str
    passive: str
    inverse: str


class Act(NamedTuple):
    """Something that a subject of one kind does.

    Attributes:
        who: kind of subject.
        base, past, participle, ing: forms of the verb.
        rest: what follows it.
    """

    who: str
    base: str
    past: str
    participle: str
    ing: str
    rest: str


def _relations(text: str) -> tuple[Relation, ...]:
    made = []
    for line in text.strip().splitlines():
        who, items = line.split(": ")
        for item in items.split("; "):
            past, participle, *inverse = item.split("/")
            after = past.split(" ", 1)[1] if " " in past else ""
            tail = f" {after}" if after else ""
            passive = f"{{b}} was {participle}{tail} by {{a}}" if participle else ""
            active = f"{{a}} {past} {{b}}" if not after else f"{{a}} {past.split(' ', 1)[0]} {{b}} {after}"
            if not participle:
                active = f"{{a}} {past} {{b}}"
            made += [Relation(kind, active, passive, inverse[0] if inverse else "") for kind in who.split(",")]
    return tuple(made)


#: "past/participle/inverse": an empty participle has no passive. Words after the verb's first follow its object.
RELATIONS = _relations(
    """
team,country: beat/beaten/{b} lost to {a}; defeated/defeated/{b} lost to {a}; thrashed/thrashed/{b} lost heavily to {a}; \
eliminated/eliminated/{b} went out against {a}; overtook/overtaken/{b} fell behind {a}; outplayed/outplayed; knocked out//{b} was \
knocked out by {a}; lost to//{a} was beaten by {b}; finished ahead of//{b} finished behind {a}; stunned/stunned; edged/edged
country: invaded/invaded; attacked/attacked/{b} came under attack from {a}; bombed/bombed; annexed/annexed; colonised/colonised; \
sanctioned/sanctioned; threatened/threatened; occupied/occupied; exports gas to//{b} imports gas from {a}; sold tanks to//{b} bought \
tanks from {a}; borrowed money from//{b} lent money to {a}; sends wheat to//{b} receives wheat from {a}; expelled the ambassador \
of//the ambassador of {b} was expelled by {a}; declared war on//; recognised/recognised; liberated/liberated; shelled/shelled; \
sued//; accused of spying//
company: bought/bought/{b} was taken over by {a}; acquired/acquired/{b} became part of {a}; took over//{b} was taken over by {a}; \
sued/sued/{b} was taken to court by {a}; supplies//{b} is supplied by {a}; owns//{b} belongs to {a}; outsold/outsold/{b} sold less \
than {a}; sold its stores to//{b} bought the stores of {a}; copied/copied; funded/funded/{b} got its money from {a}; hired the boss \
of//the boss of {b} went to {a}; licensed its patents to//{b} licensed the patents of {a}; employs former staff of//; replaced/replaced
person: succeeded/succeeded/{b} was followed by {a}; replaced/replaced/{b} made way for {a}; hired/hired/{b} went to work for {a}; \
fired/fired/{b} lost the job at the hands of {a}; arrested/arrested; killed/killed/{b} died at the hands of {a}; rescued/rescued/{b} \
owes the rescue to {a}; taught/taught/{b} was a pupil of {a}; followed/followed; attacked/attacked/{b} came under attack from {a}; \
sued/sued/{b} was taken to court by {a}; promoted/promoted; beat/beaten/{b} lost to {a}; defeated/defeated/{b} lost to {a}; \
inherited the house from//{b} left the house to {a}; sold the car to//{b} bought the car from {a}; lent money to//{b} borrowed money \
from {a}; gave the ring to//{b} got the ring from {a}; wrote to//{b} had a letter from {a}; called//{b} had a call from {a}; \
photographed/photographed; interviewed/interviewed; blackmailed/blackmailed; raised/raised/{b} grew up with {a}; adopted/adopted; \
nominated/nominated; outlived/outlived/{b} died before {a}; robbed/robbed; shot/shot; stabbed/stabbed; forgave/forgiven; \
represented/represented/{b} had {a} as a lawyer; defended/defended; coached/coached/{b} trained under {a}; treated/treated/{b} was a \
patient of {a}; married off//; kidnapped/kidnapped; saved/saved; pushed/pushed; insulted/insulted; betrayed/betrayed; trained/trained; \
overtook/overtaken/{b} fell behind {a}; mentored/mentored; works for//{b} employs {a}; is the father of//{b} is a child of {a}; is the \
boss of//{b} reports to {a}; is the grandmother of//{b} is a grandchild of {a}; painted/painted; predeceased//{b} outlived {a}
"""
)

#: Relations that hold both ways: a swap says the same.
SYMMETRIC: dict[str, tuple[str, ...]] = {
    "person": (
        "met",
        "married",
        "is married to",
        "played against",
        "had dinner with",
        "divorced",
        "is a cousin of",
        "shared a flat with",
        "is a neighbour of",
        "sang with",
        "argued with",
    ),
    "country": (
        "signed a treaty with",
        "borders",
        "trades with",
        "held talks with",
        "has the same currency as",
        "drew with",
        "reached a ceasefire with",
    ),
    "company": (
        "merged with",
        "competes with",
        "signed a deal with",
        "works together with",
        "settled the dispute with",
    ),
    "team": ("drew with", "played against", "shares a stadium with", "met", "tied with"),
}

#: Comparisons: (who, more, less).
COMPARISONS: tuple[tuple[str, str, str], ...] = tuple(
    (who, more, less)
    for line in """
person: older/younger taller/shorter richer/poorer faster/slower heavier/lighter stronger/weaker
country: larger/smaller richer/poorer colder/warmer hotter/cooler wetter/drier safer/more-dangerous more-expensive/cheaper
company: larger/smaller older/younger more-profitable/less-profitable more-valuable/less-valuable
team: older/younger stronger/weaker more-successful/less-successful
city: larger/smaller colder/warmer older/newer more-expensive/cheaper more-crowded/less-crowded further-north/further-south \
further-east/further-west higher/lower
""".strip().splitlines()
    for who, pairs in [line.split(": ")]
    for pair in pairs.split()
    for more, less in [pair.replace("-", " ").split("/")]
)


def _acts(text: str) -> tuple[Act, ...]:
    acts = []
    for line in text.strip().splitlines():
        who, items = line.split(": ")
        for item in items.split("; "):
            verb, rest = item.split("|")
            forms = verb.split("/")
            base = forms[0]
            if len(forms) == 1:
                stem = base[:-1] if base.endswith("e") else base
                past = f"{stem[:-1]}ied" if base.endswith("y") and base[-2] not in "aeou" else f"{stem}ed"
                forms = [base, past, past, f"{stem}ing"]
            base, past, participle, ing = forms
            acts += [Act(kind, base, past, participle, ing, one) for kind in who.split(",") for one in rest.split(",")]
    return tuple(acts)


#: "base|what follows, …"; irregular verbs as "base/past/participle/ing".
ACTS = _acts(
    """
country: ban/banned/banned/banning|plastic bags,fishing nets,night flights,foreign adverts,the film,the app,bullfights,\
diesel cars; raise|the minimum wage,interest rates,the retirement age,fuel taxes,import duties; cut/cut/cut/cutting|fuel taxes,\
interest rates,child benefits,its army,arms exports,aid to farmers; close|its embassy,the border,coal plants,its ports,its \
airspace; sign|the climate treaty,a trade deal,the charter,the peace accord; legalise|cannabis,same-sex marriage,online betting; \
abolish|the death penalty,tuition fees,conscription; send/sent/sent/sending|troops to the border,doctors abroad,a rescue team,a \
satellite into orbit; build/built/built/building|a nuclear plant,a new capital,a border fence,a high-speed line; join|the \
alliance,the customs union,the talks; leave/left/left/leaving|the alliance,the treaty,the customs union; host|the world cup,the \
climate summit,the song contest; lift|the travel ban,the curfew,sanctions; expel/expelled/expelled/expelling|two diplomats,the \
ambassador; recall|its ambassador; adopt|the euro,a new constitution,a new flag; privatise|the railways,the post office; \
nationalise|the gas company,the banks; win/won/won/winning|the cup,the song contest,a seat on the council; release|political \
prisoners,the journalist; tax|sugary drinks,plane tickets,second homes
company: open|an office in {c},a factory in {c},a data centre in {c},a warehouse in {c}; close|its plant in {c},its \
shop in {c},two offices; buy/bought/bought/buying|a robotics firm,a rival,the old town hall,ten planes,a football club; \
sell/sold/sold/selling|its phone business,its headquarters,its stake in a bank; recall|a baby food,two car models,a sunscreen; \
launch/launched/launched/launching|a new phone,an electric car,a streaming service,a budget airline; sack|its chief \
executive,two managers; raise|its prices,its dividend,wages; cut/cut/cut/cutting|its prices,jobs in {c},its forecast; \
move|its headquarters to {c},production to {c}; patent|a new battery,a vaccine; pay/paid/paid/paying|a fine,no taxes,\
compensation to farmers; leave/left/left/leaving|the market in {c},the stock exchange; hire|a new boss,engineers in {c}; \
delay/delayed/delayed/delaying|the launch,the merger; cancel/cancelled/cancelled/cancelling|the order,the merger,all flights to {c}
person: buy/bought/bought/buying|the old mill,a vineyard,a painting,a football club,a house in {c}; \
sell/sold/sold/selling|the farm,the company,a rare stamp,the family home; win/won/won/winning|the election,the lottery,the race,a \
gold medal,the prize,the chess title; lose/lost/lost/losing|the election,the final,a leg,the court case; resign|as mayor,as \
minister,as coach; visit|the hospital,the refugee camp,{c},the museum; marry|a banker,a singer,a prince; write/wrote/written/writing|\
a novel,the report,the letter,a cookbook; direct|the film,a play; open|a bakery in {c},a school in {c},the exhibition; \
cancel/cancelled/cancelled/cancelling|the tour,the concert,the wedding; steal/stole/stolen/stealing|a car,the necklace,medical \
records; found|a charity,a newspaper,a start-up; move|to {c},to the coast,abroad; climb|the mountain,the tower; break/broke/broken/\
breaking|the record,an arm,the window; sign|the contract,the petition; leave/left/left/leaving|the band,the party,the country; \
join|the party,the army,the orchestra; donate|a kidney,the prize money; testify|in court; attack/attacked/attacked/attacking|\
a guard,a referee; confess|to the theft; drop/dropped/dropped/dropping|the lawsuit,out of the race
body: approve|the budget,the merger,the vaccine,the new bridge,the wind farm; reject/rejected/rejected/rejecting|the plan,the \
appeal,the complaint,the bid; close|the library,the swimming pool,two wards,the market; ban/banned/banned/banning|cars from the \
centre,dogs from the beach,mobile phones,street music; build/built/built/building|a cycle path,a new school,flood walls,a tram line; \
plant/planted/planted/planting|new trees,a public garden; win/won/won/winning|the cup,an award,the tender,a grant; fine|a \
restaurant,the owner,the airline; sell/sold/sold/selling|the old theatre,the land,its archive; open|a shelter,a new clinic,an \
inquiry; cancel/cancelled/cancelled/cancelling|the festival,the parade,the fireworks; repair/repaired/repaired/repairing|the bridge,\
the roof,the clock; raise|parking fees,the water price,the alarm; receive|a donation,a bomb threat,an award; publish/published/\
published/publishing|the report,the accounts,the names
"""
)

"""Word lists: numbers, small words, and words that turn what a sentence says."""

__all__ = [
    "ABOUT",
    "APART",
    "ASKING",
    "ATTITUDES",
    "AUXILIARIES",
    "BE",
    "BLOCKERS",
    "BREAKS",
    "DENIALS",
    "HEDGES",
    "IRREGULAR",
    "LABELLED",
    "MAGNITUDES",
    "MISSES",
    "NEGATIONS",
    "NOT",
    "NUMBER_WORDS",
    "ONCE",
    "OPPOSITES",
    "ORDINAL_WORDS",
    "PREPOSITIONS",
    "PRONOUNS",
    "QUANTIFIERS",
    "RELATIVE_TIMES",
    "SAME",
    "SIDES",
    "STOPWORDS",
    "UNDONE",
    "word_set",
]


def word_set(words: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(words.split())


_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: n for n, word in enumerate(_ONES.split())} | {
    word: 20 + 10 * n for n, word in enumerate(_TENS.split())
}
_MAGNITUDES = """hundred:1e2 thousand:1e3 lakh:1e5 million:1e6 mln:1e6 mn:1e6 crore:1e7 billion:1e9 bn:1e9 bln:1e9 trillion:1e12
tn:1e12 trn:1e12"""
MAGNITUDES = {word: float(value) for entry in _MAGNITUDES.split() for word, value in [entry.split(":")]}
_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth twentieth"""
ORDINAL_WORDS = {word: n for n, word in enumerate(_ORDINALS.split(), 1)}

#: Words that say little of what a sentence is about.
STOPWORDS = word_set("""
a an the and or but nor so as at by for from in into of off on onto out over to up with within without via per about above
across after against along among amid around before behind below beneath beside between beyond during inside near since through
throughout till toward towards under until upon be is are was were been being am 's do does did done doing have has had having
will would shall should can could may might must it its itself he him his himself she her hers herself they them their theirs
themselves i me my we us our you your this that these those there here who whom whose which what when where why how if then than
also just only very too still already even ever once again now both each any some all such same other another more most less
least much many few one ones not no never none n't cannot while whereas because although though however according said says
say saying told mr mrs ms dr sir lord total exactly alone together later ago well back approximately roughly nearly
almost estimated estimate currently recently""")
PRONOUNS = word_set("he she it they his her its their this these him them")

#: Words and marks between what may be said of different things.
BREAKS = word_set("""
, ; ( ) [ ] – — | / and but or while whereas which who whom that when where after before because although though if since
until with compared versus vs""")
ABOUT = word_set("about around approximately roughly some estimated nearly almost circa c ca ~ approx ≈ near")

NEGATIONS = word_set(
    """hardly scarcely barely seldom rarely not no never neither nor without cannot none nobody nothing nowhere dont doesnt didnt isnt
    wasnt arent werent cant wont"""
)
#: Words that say otherwise in a way of their own, so that a missing "not" does not mean yes.
BLOCKERS = word_set(
    """if whether unless hypothetical different differ differs differently unlike lack lacks lacked absent yet rather instead false
    fake hoax untrue unable refuse refuses refused decline declines declined deny denies denied fail fails failed stop stopped
    without"""
)
#: Words that count what is said of, which turn what a "not" means.
QUANTIFIERS = word_set("more less fewer than some all every each any most few many only both either none half several")
#: What begins a question, with or without its mark.
ASKING = word_set("do does did is are was were has have had can could will would should may might how why who what")
AUXILIARIES = word_set("is are was were be been do does did has have had can could will would may might")
PREPOSITIONS = word_set("from in at of on by for with about among")
#: Behind these a number is part of a name.
LABELLED = word_set(
    """episode chapter page room size version level grade day season number no article section phase type group class part stage
    act volume issue line figure table step round unit model flight route highway channel"""
)
#: Who speaks and is spoken to, and before or after when: a sentence that differs in them says something else.
SIDES = word_set("i we you my your our me us after before since until")
#: A "not" before these may be one of what they are about ("I don't think he came").
ATTITUDES = "think believe feel suppose imagine guess want say"
BE = word_set("is are was were be been being isn't aren't wasn't weren't")
#: Beside a value these set it apart from the whole.
APART = word_set("other others another more additional extra further remaining rest original out least first last next")
RELATIVE_TIMES = word_set(
    "last previous next ago earlier later yesterday today tomorrow tonight annually monthly daily"
)
#: The thing nearly happened, so it did not.
MISSES = word_set("almost nearly narrowly")
#: Words that deny what follows.
NOT = word_set("not no never cannot dont doesnt didnt isnt wasnt arent werent cant wont")
#: What is said to be untrue, and what was not done.
DENIALS = "deny refute debunk dismiss disprove"
UNDONE = "fail refuse decline"
#: What is planned, alleged, thought, and so not the thing itself.
HEDGES = """plan intend want hope aim propose proposal consider expect may might could would should alleged allegedly reportedly
rumour rumor supposedly purportedly apparently perhaps possibly probably likely suspect allege accuse claim believe think threaten
promise vow pledge seek attempt try if"""

_OPPOSITES = """rise/fall increase/decrease grow/shrink gain/lose win/lose climb/drop up/down higher/lower high/low more/fewer more/less
larger/smaller bigger/smaller largest/smallest biggest/smallest older/younger oldest/youngest longer/shorter longest/shortest
taller/shorter tallest/shortest faster/slower fastest/slowest richer/poorer warmer/colder hotter/colder better/worse best/worst
heavier/lighter accept/reject approve/reject allow/ban legal/illegal guilty/innocent north/south northern/southern east/west
eastern/western always/never alive/dead profit/loss surplus/deficit majority/minority increase/fall rise/decrease rise/drop
increase/drop increase/decline rise/decline grow/decline support/oppose safe/unsafe strengthen/weaken improve/worsen
expand/shrink convict/acquit pass/fail raise/cut raise/lower positive/negative maximum/minimum"""


def _both_ways(pairs: str) -> dict[str, frozenset[str]]:
    table: dict[str, frozenset[str]] = {}
    for pair in pairs.split():
        one, two = pair.split("/")
        table[one] = table.get(one, frozenset()) | {two}
        table[two] = table.get(two, frozenset()) | {one}
    return table


#: Word to its opposites.
OPPOSITES = _both_ways(_OPPOSITES)

_IRREGULAR = """rise:rose,risen fall:fell,fallen win:won lose:lost,loss beat:beaten buy:bought sell:sold,sale grow:grew,grown,growth
begin:began,begun break:broke,broken build:built,building choose:chose,chosen come:came cut:cutting drive:drove,driven eat:ate,eaten
fight:fought find:finding fly:flew,flown,flight get:got,gotten give:gave,given go:went,gone hit:hitting hold:held keep:kept
know:knew,known lead:led leave:left make:made,making meet:met,meeting pay:paid,payment run:ran,running see:saw,seen send:sent
shoot:shot,shooting sink:sank,sunk speak:spoke,spoken spend:spent,spending stand:stood steal:stole,stolen strike:struck,stricken
take:took,taken,taking teach:taught tell:told think:thought throw:threw,thrown wear:wore,worn write:wrote,written,writing
bite:bit,bitten catch:caught defeat:defeats draw:drew,drawn feed:fed hear:heard hide:hid,hidden lend:lent mean:meant
ride:rode,ridden sing:sang,sung swim:swam,swum bear:bore born:birth,birthdate,birthday die:died,dying,death,dies
man:men woman:women child:children person:people,persons foot:feet mouse:mice tooth:teeth life:lives wife:wives
marry:married,marriage,marries succeed:succession,successor,succeeded overtake:overtook,overtaken arrest:arrests
release:released,releasing,releases premiere:premiered,premieres,premier establish:established,establishment,est
open:opened,opening,opens close:closed,closing,closure,closes lay:laid sue:sued,suing,sues slay:slew,slain kill:killed,killing,kills
cost:costing,costs found:founded,founds,foundation,founding"""
#: Form of a word to its stem, where no rule gives it.
IRREGULAR = {
    form: word
    for entry in _IRREGULAR.split()
    for word, _, forms in [entry.partition(":")]
    for form in (word, *forms.split(","))
}

_SAME = """found:establish,form kill:slay begin:start,commence end:finish,conclude buy:purchase,acquire,acquisition build:construct
release:premiere,publish film:movie large:big person:human beat:defeat injure:wound,hurt"""
#: Word to another that says the same in a sentence about one event.
SAME = {same: word for entry in _SAME.split() for word, _, words in [entry.partition(":")] for same in words.split(",")}

#: What happens once to one thing, so that two dates of it cannot both be right.
ONCE = """born die found open release complete demolish discover invent assassinate kill abolish sign ratify inaugurate debut crash
sink dissolve graduate create premiere publish retire bury execute incorporate erect build air launch"""

"""Words whose full stop does not end a sentence, and words that usually begin one."""

__all__ = ["ABBREVIATIONS", "SENTENCE_STARTERS"]

# Titles; organisations and addresses; references; dates and measures; Latin and common short forms; German.
# Left out: words that end sentences more often than they abbreviate ("sun", "sat", "art").
_SHORT = """
mr mrs ms mx dr prof sen rep reps sens gen gov lt col sgt cpl capt cmdr adm maj rev hon pres messrs mme mlle fr sr jr st
inc ltd co corp bros dept univ assn ave blvd rd mt ft
no nos vol vols pp p fig figs eq sec ch ed eds al op cit ibid viz cf
jan feb mar apr jun jul aug sep sept oct nov dec tue tues thu thur thurs fri approx ca circa avg rs
e.g i.e eg ie vs v etc a.k.a ph.d
z.b d.h bzw usw nr bd str
"""
_STARTERS = """
The This That These Those There Then They Their It Its He She His Her We Our You Your My An In On At As But And
However If When While Where Who What Why How After Before Since Although Though Because Some Many Most Both
According Meanwhile With From By For Another Such So Also Now Today Yesterday Moreover Furthermore
"""

#: Lower-case, without the final stop. Dotted ones (``e.g``) keep their inner stops.
ABBREVIATIONS = frozenset(_SHORT.split())

#: After an abbreviation that may also end a sentence (``U.S.``, ``Inc.``), one of these words begins a new one.
SENTENCE_STARTERS = frozenset(_STARTERS.split())

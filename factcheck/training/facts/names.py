"""Names of people, places and organisations that made statements are about."""

from typing import TypeVar

import numpy as np

__all__ = ["CITIES", "COUNTRIES", "OUTLETS", "city", "company", "country", "people", "pick", "team", "two"]

T = TypeVar("T")

_FIRST = """
Anna Paul Lena Marco Julia Peter Sofia David Emma Lucas Maria Daniel Clara Martin Nina Thomas Laura Simon Elena Victor Ines Oscar
Amara Kofi Yusuf Aisha Ravi Priya Kenji Yuki Wei Mei Omar Leila Hassan Fatima Diego Camila Mateo Valentina Igor Olga Dmitri
Katarina Piotr Agnes Bence Zsofia Andrei Ioana Nikos Eleni Mehmet Zeynep Ahmed Nour Tariq Samira Chidi Ngozi Thabo Zanele
Liam Chloe Noah Grace Ethan Ruby Jack Harriet Callum Fiona Sean Niamh Hugo Manon Louis Camille Erik Astrid Lars Ingrid Jonas
Freya Mikkel Sanne Pieter Joost Anouk Gabriel Helena Rafael Beatriz Joao Teresa Arjun Meera Sanjay Lakshmi Bao Linh Minh Thuy
""".split()
_LAST = """
Berg Keller Moreau Rossi Novak Santos Fischer Lindqvist Okafor Mensah Tanaka Suzuki Chen Zhang Kumar Sharma Hassan Rahman Ali
Petrov Ivanova Kowalski Nagy Popescu Papadopoulos Yilmaz Demir Haddad Mansour Dlamini Nkosi Walsh Murphy Campbell Fraser Hughes
Bennett Carter Foster Marshall Palmer Reid Spencer Turner Whitfield Barlow Dubois Lefevre Garnier Schneider Weber Vogel Hansen
Nielsen Johansson Eriksson Virtanen Korhonen De Vries Bakker Jansen Almeida Pereira Fonseca Garcia Romero Navarro Castillo
Herrera Vargas Silva Costa Nguyen Tran Pham Lee Park Choi Singh Gupta Iyer Farah Abebe Tesfaye Mwangi Otieno Kamau Banda
""".replace("De Vries", "DeVries").split()
COUNTRIES = tuple(
    """France Spain Italy Germany Poland Norway Sweden Finland Denmark Austria Belgium Portugal Greece Hungary Romania Bulgaria
Croatia Serbia Slovenia Slovakia Ireland Iceland Estonia Latvia Lithuania Ukraine Turkey Egypt Morocco Tunisia Algeria Nigeria
Ghana Kenya Uganda Ethiopia Tanzania Zambia Namibia Botswana Senegal Mali Chad Sudan Jordan Israel Lebanon Iraq Iran Qatar
Kuwait Oman Yemen India Pakistan Nepal Bangladesh Thailand Vietnam Cambodia Malaysia Indonesia Japan China Mongolia Australia
Canada Mexico Guatemala Honduras Panama Cuba Jamaica Colombia Venezuela Ecuador Peru Bolivia Chile Argentina Uruguay Paraguay
Brazil Switzerland Luxembourg Malta Cyprus Albania Georgia Armenia Kazakhstan""".split()
)
CITIES = tuple(
    """Lyon Bern Turin Porto Seville Leipzig Bremen Krakow Gdansk Bergen Malmo Tampere Aarhus Graz Ghent Patras Debrecen Cluj Varna
Split Cork Galway Tartu Riga Vilnius Odessa Izmir Bursa Alexandria Fez Oran Lagos Kano Accra Kumasi Nairobi Mombasa Kampala Lusaka
Windhoek Dakar Amman Haifa Beirut Basra Shiraz Doha Muscat Pune Jaipur Lahore Karachi Kathmandu Dhaka Hanoi Penang Bandung Osaka
Kobe Nagoya Wuhan Perth Brisbane Adelaide Calgary Toronto Puebla Tijuana Medellin Cali Quito Cusco Valparaiso Cordoba Rosario
Montevideo Recife Manaus Boston Dallas Denver Seattle Atlanta Detroit Memphis Oakland Tucson Leeds York Bath Derby Exeter Dundee
Swansea Norwich Luton Preston Durham Lincoln Chester Carlisle Falmouth Kendal Ripon Truro Wells Nantes Lille Rennes Dijon Basel
Genoa Parma Verona Utrecht Breda Antwerp""".split()
)
_COMPANIES = """
Google Amazon Microsoft Apple Tesla Toyota Volkswagen Siemens Nestle Unilever Shell Boeing Airbus Samsung Sony Netflix Ikea Zara
Adidas Nike Nokia Ericsson Philips Bosch Lufthansa Ryanair Pfizer Novartis Bayer Danone Starbucks Walmart Tesco Lidl Vodafone Intel
""".split()
_PARTS = (
    "Nor Vel Tarn Alt Mon Cor Sil Bel Har Kes Lum Dor Fen Gal Ost Pel Quin Ras Sol Tre".split(),
    "dex via tek mark line corp sys nova bank foods air rail pharma media power motors works gas steel labs".split(),
)
_TEAMS = "United City Rovers Athletic Wanderers Rangers Tigers Lions Hawks Bears Stars Kings".split()
OUTLETS = tuple(
    """Daily Herald|Evening Standard|The Times|Reuters|AP|AFP|BBC News|CNN|Sky News|The Guardian|Morning Post|City Gazette|The Sun|Metro|
Daily Mirror|The Local|Euronews|Bloomberg|Al Jazeera|Deutsche Welle|NDTV|Fox News|The Independent|Global Times|Chronicle|The Observer|
Tribune Online|Channel 4|ABC News|Times of India|The Star|News Today|Capital FM|Radio One|Press TV|The Hill|Axios|Politico""".replace(
        "\n", ""
    ).split("|")
)


def pick(options: "tuple[T, ...] | list[T]", rng: np.random.Generator) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def two(options: "tuple[T, ...] | list[T]", rng: np.random.Generator) -> tuple[T, T]:
    """Two different ones of the options."""
    first, second = rng.choice(len(options), 2, replace=False)
    return options[int(first)], options[int(second)]


def people(rng: np.random.Generator, count: int = 2) -> list[str]:
    """Different people: all by first name, or all by first and last name."""
    first = [_FIRST[i] for i in rng.choice(len(_FIRST), count, replace=False)]
    if rng.random() < 0.3:
        return first
    last = [_LAST[i] for i in rng.choice(len(_LAST), count, replace=False)]
    return [f"{a} {b}" for a, b in zip(first, last, strict=True)]


def city(rng: np.random.Generator) -> str:
    """A city."""
    return pick(CITIES, rng)


def country(rng: np.random.Generator) -> str:
    """A country."""
    return pick(COUNTRIES, rng)


def company(rng: np.random.Generator) -> str:
    """A company that exists, or one whose name is made."""
    if rng.random() < 0.4:
        return pick(_COMPANIES, rng)
    return pick(_PARTS[0], rng) + pick(_PARTS[1], rng)


def team(rng: np.random.Generator) -> str:
    """A sports team."""
    return f"{city(rng)} {pick(_TEAMS, rng)}"

"""Messages in other languages: which of six it is, and what is said to it."""

import re
from typing import Final

LANGUAGES: Final = {
    "Diese Fassung versteht nur Englisch; ein Sprachmodell versteht auch andere Sprachen.":
        "der die das und ich bitte nicht mit für ein eine einer einem auf wie ist suche mir den dem von wir um habe",
    "Cette version comprend seulement des messages en anglais ; un modèle de langage en comprend davantage.":
        "le les des une un est ce pour avec dans que quel quelle je vous sur mon et du au en",
    "Esta versión solo entiende inglés; un modelo de lenguaje entiende otros idiomas.":
        "el los las una con para por que cuál qué mi del y en simula durante al es hay podría de",
    "Questa versione comprende solo messaggi in inglese; un modello linguistico ne comprende altri.":
        "il gli della una con per che quale qual mio del di e nel sono è favore vorrei una",
    "Esta versão só entende inglês; um modelo de linguagem entende outros idiomas.":
        "o os uma com para por que qual meu do e em da não é as",
    "Deze versie begrijpt alleen Engels; een taalmodel begrijpt ook andere talen.":
        "het een en van met voor wat welke mijn niet de op aan ik zoek wij dat ons u",
}  # fmt: skip
"""A sentence for each language besides English, and common words that tell it."""


def language_note(text: str) -> str | None:
    """What is said to a message in another language that is one of six."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    english = sum(word in ENGLISH for word in words)
    hits = {note: sum(word in common.split() for word in words) for note, common in LANGUAGES.items()}
    best = max(hits, key=lambda note: hits[note])
    least = 2 if re.search("[äöüßàâçéèêëîïôûñáíóúãõ¿]", text.lower()) else 3
    return best if hits[best] >= max(least, english + 1) else None


ENGLISH: Final = frozenset("the of and to in with for is what how my a on it from at".split())

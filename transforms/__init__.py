"""The steps, one verb_noun.py each, over nouns that know nothing of Beam; and what a processing function imports."""

from transforms.files import File

__all__ = ["File"]

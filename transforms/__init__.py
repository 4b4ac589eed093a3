"""The steps, one verb_noun.py each, over nouns that know nothing of Beam."""

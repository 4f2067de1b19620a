"""The catalogue of fixed texts: one file a language, one message an id (`ids.py`).

Plain tables: no compiled files to build and ship, an unknown id is an error of types, and a language costs
nothing until a note needs it. Plural forms are avoided by the wording. `kustomer_texts/texts.py` reads it.
"""

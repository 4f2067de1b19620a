"""The operator's choices: `model.py`, conditions of rules in `when.py`, reading the file in `file.py`."""

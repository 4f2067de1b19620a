"""The operator's choices: the model and its defaults (`model.py`), and the file they are read from (`file.py`)."""

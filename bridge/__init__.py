"""callbridge: carries CloudTalk phone calls into Kustomer."""

__version__ = "0.1.0"

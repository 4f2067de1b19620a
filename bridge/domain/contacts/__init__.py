"""CloudTalk's contacts and Kustomer's customers: what each takes over from the other. Pure."""

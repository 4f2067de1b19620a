"""Who the customer of a call is: looked up in Kustomer, or chosen by a person."""

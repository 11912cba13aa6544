"""Help: the words of the trade, what each page is for, and the first tour of each role. Texts are YAML in this folder."""

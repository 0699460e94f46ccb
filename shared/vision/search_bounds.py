"""What a search by image may ask for, on the command line and in the API alike."""

# A hundred matches fill a page; more of them are a matter of a smaller distance.
MAX_LIMIT = 200
# Hashes of unrelated pictures differ in about half of their bits: a search beyond that is for anything at all.
MAX_DISTANCE = 128

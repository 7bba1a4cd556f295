"""The shop's own data: the interface a shop may answer itself, over HTTP, and the check that it does so rightly."""

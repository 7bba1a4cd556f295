"""Routes conversations to people: own team, outsourced pools, message box. Pure decisions in a dull shell."""

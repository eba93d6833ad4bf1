"""Customs: regimes (what is said, one package each) and channels (the ways there and back)."""

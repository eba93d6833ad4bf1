"""The regime of China's cross-border e-commerce imports: one mapping module per message."""

from adapters.customs.ceb.regime import ADAPTER, CEBRegime

__all__ = ["ADAPTER", "CEBRegime"]

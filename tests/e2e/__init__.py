"""The dashboard in a browser: a package, so that its tests share one, which closes behind them."""

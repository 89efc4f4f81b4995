"""Money over years: simulated wealth of a portfolio with contributions and withdrawals."""

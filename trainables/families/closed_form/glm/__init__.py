"""Generalised linear models refitted to their own labels: logistic, probit and Poisson regression."""

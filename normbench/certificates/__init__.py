"""Upper bounds on the Lipschitz constant of a network, each with a witness that anyone can check."""

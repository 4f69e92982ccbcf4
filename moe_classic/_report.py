def draw(*a, **k): 
    from matplotlib.figure import Figure
    return Figure()

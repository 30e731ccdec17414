a ? b : c ?: d
f { x, y = 2 -> "${x} $y.z" } { }
(A<B>[]) c[1, *d] as E in [g: 1, (h): 2, *: i]

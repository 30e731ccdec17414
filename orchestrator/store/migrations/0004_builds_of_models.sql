-- Builds that are about a model (a cause or a parameter names a model package): what served where is read from these.
-- The condition is, letter for letter, the one of the query, so that the planner sees that the index will do.
CREATE INDEX builds_of_models ON builds (id)
    WHERE (causes LIKE '%:model-package/%' OR parameters LIKE '%:model-package/%');

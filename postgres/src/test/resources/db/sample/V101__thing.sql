CREATE TABLE sample.thing (id integer PRIMARY KEY);

-- SPDX-License-Identifier: Apache-2.0 OR MIT
.bail on
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL, tags TEXT);
CREATE INDEX item_price ON item(price);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO item SELECT i, 'item ' || i, (i * 7919) % 1000 / 10.0, json_array(i, i * 2) FROM n;
COMMIT;
CREATE TABLE log(what TEXT);
CREATE TRIGGER told AFTER DELETE ON item BEGIN INSERT INTO log VALUES (old.name); END;
BEGIN; DELETE FROM item WHERE id > 10; ROLLBACK;
DELETE FROM item WHERE id = 17;
UPDATE item SET price = 1000 WHERE id = 3;
.backup copy.db
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(id), max(price), (SELECT what FROM log) FROM item;

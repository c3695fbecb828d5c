-- name: labels
-- what people call the records with these ids, of whatever kind
select id, full_name || ' (' || knumber || ')' as label from public.clients where id = any(%(ids)s)
union all
select id, name from public.drivers where id = any(%(ids)s)
union all
select id, name from public.destinations where id = any(%(ids)s)

-- name: named
select id from public.clients where full_name ilike %(words)s or knumber ilike %(words)s
union all
select id from public.drivers where name ilike %(words)s
union all
select id from public.destinations where name ilike %(words)s
limit 200

-- name: all
select s.key, s.value, s.description, s.about_costs, s.updated_by, s.updated_at, u.full_name as updated_by_name
  from public.office_settings s left join public.users u on u.id = s.updated_by order by s.key

-- name: values
select coalesce(jsonb_object_agg(key, value), '{}') as said from public.office_settings

-- name: put
update public.office_settings s set value = n.value
  from jsonb_each(%(changes)s) n
 where s.key = n.key and s.value is distinct from n.value

-- name: office_id
-- what stands for the settings as a whole in the audit log: the id of their first row
select id from public.office_settings where key = 'business_name'

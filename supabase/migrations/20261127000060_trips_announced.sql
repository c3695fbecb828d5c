-- Trips have an event of their own: open pages hear of each change as it is committed, by NOTIFY or by Supabase Realtime.

-- Tells open pages that a trip was made, changed or removed: ids and the office's days, as they were and as they are; never names
-- or words. An archived trip is no driver's and no client's. One of a row at most, and the tasks of a save are announced in the
-- same commit, so that a save waits for no lock that it would not have taken anyway.
create function private.announce_trip() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('trips', json_build_object(
    'id', coalesce(new.id, old.id),
    'days', array_remove(array[
      private.local_day(old.pickuptime), private.local_day(old.appointmenttime), private.local_day(old.drop_off_time),
      private.local_day(new.pickuptime), private.local_day(new.appointmenttime), private.local_day(new.drop_off_time)], null),
    'drivers', array_remove(array[case when old.deleted_at is null then old.driver_assigned end,
                                  case when new.deleted_at is null then new.driver_assigned end], null),
    'clients', array_remove(array[case when old.deleted_at is null then old.client_id end,
                                  case when new.deleted_at is null then new.client_id end], null))::text);
  return null;
end $$;
create trigger appointments_announce after insert or delete on public.appointments for each row execute function private.announce_trip();
create trigger appointments_announce_change after update on public.appointments for each row when (old.version <> new.version)
  execute function private.announce_trip();

-- Whether a trip is among the caller's own, as public.my_trips has them.
create function private.is_my_trip(p_trip uuid) returns boolean
  language sql stable security definer set search_path = '' as $$
  select exists (select from public.appointments a where a.id = p_trip and a.deleted_at is null
                    and (a.driver_assigned = private.my_driver() or a.client_id = private.my_client()))
$$;

-- What the caller is to hear of trips that were announced: those they may see now, and by id alone those that are gone from what
-- they could see. In the caller's own rights, and of no other trip a word. The days are for whoever sees the office's.
create function private.trips_to_hear_of(p_announced jsonb) returns table (id uuid, days jsonb, gone boolean)
  language sql stable set search_path = '' as $$
  select t.id, case when me.looks then t.days end, not s.seen
    from (select private.may('view_appointments') as looks, private.my_driver() as driver, private.my_client() as client) me
   cross join jsonb_to_recordset(p_announced) t(id uuid, days jsonb, drivers uuid[], clients uuid[])
   cross join lateral (select exists (select from public.appointments a where a.id = t.id and a.purged_at is null) or private.is_my_trip(t.id) as seen) s
   where s.seen or me.looks or me.driver = any(t.drivers) or me.client = any(t.clients)
   order by t.id
$$;

revoke execute on function private.announce_trip(), private.is_my_trip(uuid), private.trips_to_hear_of(jsonb) from public;
grant execute on function private.is_my_trip(uuid), private.trips_to_hear_of(jsonb) to authenticated, service_role;

alter publication supabase_realtime add table public.appointments;

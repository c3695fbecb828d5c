-- What speaks against each pair of the operations board, asked at once.

-- The same of every trip of a day that is not over, with every driver. A pair that is not here is free. As the owner, so that
-- staff are asked once who they are, and not once for each of some hundred pairs.
create function private.board_conflicts(p_day date)
  returns table (appointment_id uuid, driver_id uuid, kind text, hard boolean, id uuid, during tstzrange, label text)
  language sql stable security definer set search_path = '' as $$
  select a.id, d.id, c.kind, c.hard, c.id, c.during, c.label
    from public.appointments a
   cross join public.drivers d
   cross join lateral private.assignment_conflicts(a.id, d.id) c
   where (not private.is_person() or private.may('view_appointments'))
     and a.deleted_at is null and a.operation_status in ('pending', 'assigned') and d.active
     and a.appointmenttime >= lower(private.local_days(p_day, p_day)) and a.appointmenttime < upper(private.local_days(p_day, p_day))
$$;

revoke execute on function private.board_conflicts(date) from public;
grant execute on function private.board_conflicts(date) to authenticated, service_role;

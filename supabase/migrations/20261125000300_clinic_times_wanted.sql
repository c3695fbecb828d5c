-- Which clinics a client's travel times are wanted for and not measured yet: one task per client serves whatever was asked.

-- What somebody has asked for and nobody has measured yet. Whatever is asked for while a task waits or runs is kept here, so that
-- one task per client serves it all. `ask` is new at each asking: an answer settles only what it was asked for.
create table public.clinic_times_wanted (
  client_id      uuid not null references public.clients on delete cascade,
  destination_id uuid not null references public.destinations on delete cascade,
  ask            uuid not null default gen_random_uuid(),
  primary key (client_id, destination_id)
);
create index clinic_times_wanted_destination on public.clinic_times_wanted (destination_id);

alter table public.clinic_times_wanted enable row level security;
create policy staff_read_what_is_wanted on public.clinic_times_wanted for select to authenticated using ((select private.is_staff()));
create policy staff_want_clinic_times on public.clinic_times_wanted for insert to authenticated with check ((select private.is_staff()));
create policy staff_want_them_anew on public.clinic_times_wanted for update to authenticated
  using ((select private.is_staff())) with check ((select private.is_staff()));
revoke all on public.clinic_times_wanted from anon, authenticated, service_role;
grant select, insert, update on public.clinic_times_wanted to authenticated;
grant all on public.clinic_times_wanted to service_role;

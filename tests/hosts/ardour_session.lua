-- An Ardour 7 session without a window: a stereo track for each stem, and a bus with Tributary, whose four sidechains take
-- the tracks' outputs. Audio is put on the tracks by `ardour_export.py`; this version of luasession imports none.
--
-- usage: luasession ardour_session.lua FOLDER NAME PLUGIN STEM...
--
-- A mistake here ends luasession with a crash that loses what was printed to standard output; so all goes to stderr.

local RATE_HZ = 44100
local CHANNELS = 2

local folder, name, plugin_name = arg[1], arg[2], arg[3]
local stems = { table.unpack(arg, 4) }

local function must(value, what)
    if not value then
        io.stderr:write("error: " .. what .. "\n")
        os.exit(1)
    end
    return value
end

local session = must(create_session(folder, name, RATE_HZ), "Ardour makes no session in " .. folder)
local last = ARDOUR.PresentationInfo.max_order

local tracks = {}
for number, stem in ipairs(stems) do
    local mode = ARDOUR.TrackMode.Normal
    tracks[number] = session:new_audio_track(CHANNELS, CHANNELS, nil, 1, stem, last, mode, true):front()
end

local kind = ARDOUR.PresentationInfo.Flag.AudioBus
local bus = session:new_audio_route(CHANNELS, CHANNELS, nil, 1, "Mix", kind, last):front()
local plugin = ARDOUR.LuaAPI.new_plugin(session, plugin_name, ARDOUR.PluginType.VST3, "")
must(not plugin:isnil(), "Ardour does not know the plug-in " .. plugin_name)
must(bus:add_processor_by_index(plugin, 0, nil, true) == 0, "the bus does not take the plug-in")
must(bus:add_sidechain(plugin), "the plug-in gets no sidechain")

local sidechain = plugin:to_insert():sidechain_input()
local offered = sidechain:n_ports():n_audio()
must(offered == CHANNELS * #stems, "Ardour shows " .. offered .. " sidechain channels")
for number, track in ipairs(tracks) do
    local output = track:output()
    for channel = 0, CHANNELS - 1 do
        local to = sidechain:nth(CHANNELS * (number - 1) + channel):name()
        output:nth(channel):disconnect_all()
        must(output:nth(channel):connect(to) == 0, "a track cannot be connected to " .. to)
    end
end

must(session:save_state("", false, false, false, false, false) == 0, "the session cannot be saved")
session:close()

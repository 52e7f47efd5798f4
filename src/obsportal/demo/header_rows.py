"""The cards of each instrument's header, as rows for ``cards.template``.

Keywords, units and value styles follow real raw headers; only those that the rules read and a plausible
few others are kept. ORIGIN, the DEMO. prefix of ARCFILE and a comment mark them as demonstration.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from itertools import combinations

from obsportal.demo.cards import CardTemplate, Row
from obsportal.demo.instruments import BY_NAME

ORIGIN = "OBSPORTAL-DEMO"
COMMENT = "Simulated for the demonstration of obsportal; nothing was observed."


class Era(IntEnum):
    """Which keywords the observatory wrote: containers came in 2012, water vapour in 2014."""

    BEFORE_2012 = 0
    FROM_2012 = 1
    FROM_2014 = 2


# What differs between the frames of a block, besides the projected baselines.
_FRAME_FIELDS = frozenset(
    {
        *(
            "arcfile",
            "origfile",
            "date_obs",
            "mjd",
            "utc",
            "lst",
            "expno",
            "bcd1",
            "bcd2",
            "bcd",
            "alt",
            "az",
        ),
        *("airmass_start", "airmass_end", "parang_start", "parang_end", "fwhm_start", "fwhm_end"),
        *("tau0_start", "tau0_end", "iwv_start", "iwv_end", "temperature", "humidity", "pressure"),
        *("lapse_rate", "wind_direction", "wind_speed"),
    }
)


def _is_frame_field(name: str) -> bool:
    return name in _FRAME_FIELDS or name.startswith(("length", "angle"))


@lru_cache(maxsize=64)
def header_template(instrument: str, band: str, era: Era) -> CardTemplate:
    """The cards of a header of an instrument (and detector band) in an era."""
    beams = BY_NAME[instrument].telescopes
    eso = "" if instrument == "SPICA" else "ESO "
    rows = [
        *_primary(instrument),
        *_block_rows(eso, era),
        *_template_rows(eso, instrument),
        *_INSTRUMENT_ROWS[instrument](band),
        *_iss_rows(eso, beams, era, instrument),
    ]
    return CardTemplate(rows, _is_frame_field)


def _primary(instrument: str) -> list[Row]:
    return [
        ("SIMPLE", "T", "file does conform to FITS standard"),
        ("BITPIX", "8", "number of bits per data pixel"),
        ("NAXIS", "0", "number of data axes"),
        ("EXTEND", "T", "FITS dataset may contain extensions"),
        ("COMMENT", COMMENT, ""),
        ("ORIGIN", f"'{ORIGIN}'", "not an observatory"),
        ("DATE", "'{date_obs:<24.24}'", "Date this file was written"),
        ("TELESCOP", "'{telescop:<18.18}'", "Telescopes"),
        ("INSTRUME", f"'{instrument:<8}'", "Instrument used"),
        ("OBJECT", "'{object:<24.24}'", "Original target"),
        ("RA", "{ra:20.6f}", "[deg] RA (J2000) pointing"),
        ("DEC", "{dec:20.5f}", "[deg] DEC (J2000) pointing"),
        ("EQUINOX", "2000.", "Standard FK5"),
        ("RADECSYS", "'FK5     '", "Coordinate system"),
        ("EXPTIME", "{exptime:20.7f}", "[s] Integration time"),
        ("MJD-OBS", "{mjd:20.8f}", "[d] Start"),
        ("DATE-OBS", "'{date_obs:<24.24}'", "Observing date"),
        ("UTC", "{utc:20.3f}", "[s] Time of day"),
        ("LST", "{lst:20.3f}", "[s] Local sidereal time"),
        ("PI-COI", "'{pi:<24.24}'", "Invented name"),
        ("OBSERVER", "'DEMO    '", "Name of observer"),
        ("ORIGFILE", "'{origfile:<32.32}'", "Original file name"),
        ("ARCFILE", "'{arcfile:<42.42}'", "Archive file name"),
    ]


def _block_rows(eso: str, era: Era) -> list[Row]:
    container: list[Row] = [
        (f"{eso}OBS CONTAINER ID", "{container_id:8d}", "Scheduling container ID"),
        (f"{eso}OBS CONTAINER TYPE", "'{container_type:<8}'", "Scheduling container type"),
    ]
    return [
        *(container if era >= Era.FROM_2012 else []),
        (f"{eso}OBS DID", "'ESO-VLT-DIC.OBS-2.0'", "OBS Dictionary"),
        (f"{eso}OBS EXECTIME", "{exectime:5d}", "Expected execution time"),
        (f"{eso}OBS GRP", "'0       '", "linked blocks"),
        (f"{eso}OBS ID", "{ob_id:8d}", "Observation block ID"),
        (f"{eso}OBS NAME", "'{ob_name:<30.30}'", "OB name"),
        (f"{eso}OBS NTPL", "2", "Number of templates within OB"),
        (f"{eso}OBS PI-COI ID", "{pi_number:6d}", "PI-COI ID"),
        (f"{eso}OBS PI-COI NAME", "'{pi:<24.24}'", "Invented name"),
        (f"{eso}OBS PROG ID", "'{prog_id:<20.20}'", "Programme"),
        (f"{eso}OBS START", "'{ob_start:<19}'", "OB start time"),
        (f"{eso}OBS TARG NAME", "'{target:<24.24}'", "OB target name"),
        (f"{eso}OBS TPLNO", "2", "Template number within OB"),
    ]


def _template_rows(eso: str, instrument: str) -> list[Row]:
    return [
        (f"{eso}TPL DID", "'ESO-VLT-DIC.TPL-1.9'", "Data dictionary for TPL"),
        (f"{eso}TPL EXPNO", "{expno:3d}", "Exposure number within template"),
        (f"{eso}TPL ID", "'{template:<28.28}'", "Template signature ID"),
        (f"{eso}TPL NAME", "'{template_name:<48.48}'", ""),
        (f"{eso}TPL NEXP", "{nexp:3d}", "Number of exposures within template"),
        (f"{eso}TPL SEQNO", "2", "Template number in the OB"),
        (f"{eso}TPL START", "'{template_start:<19}'", "TPL start time"),
        (f"{eso}DPR CATG", "'{dpr_catg:<8}'", "Observation category"),
        (f"{eso}DPR TECH", "'{dpr_tech:<16.16}'", "Observation technique"),
        (f"{eso}DPR TYPE", "'{dpr_type:<24.24}'", "Observation type"),
        (f"{eso}OCS EXPO EXPNO", "{expno:3d}", "Exposure number"),
    ]


def _midi_rows(band: str) -> list[Row]:
    return [
        ("ESO INS MODE", "'STARINTF'", "Instrument mode used"),
        ("ESO INS OPT1 NAME", "'{opt1:<12.12}'", "Position identification name"),
        ("ESO INS GRIS NAME", "'{gris:<8.8}'", "Position identification name"),
        ("ESO INS FILT NAME", "'OPEN    '", "Filter identification name"),
        ("ESO INS SHUT NAME", "'ABOPEN  '", "Position identification name"),
        ("ESO INS SLIT NAME", "'SLIT_0.2'", "Position identification name"),
        ("ESO DET CHIP NAME", "'Raytheon Si:As IBC'", "Detector chip name"),
        ("ESO DET DIT", "{dit:12.6f}", "[s] Integration time"),
        ("ESO DET NDIT", "{ndit:6d}", "Number of integrations"),
        ("ESO DET NRTS MODE", "'{nrts:<32.32}'", "NRTS mode"),
        ("ESO DET WINDOWS", "2", "Number of windows read out"),
        ("ESO OCS EXPO FILENO", "1", "File of the exposure"),
        *_tracker_rows(),
    ]


def _amber_rows(band: str) -> list[Row]:
    return [
        ("ESO INS MODE", "'3Tstd_{speconf:<16.16}'", "Instrument mode used"),
        ("ESO INS GRAT1 NAME", "'{grat:<8.8}'", "Grating common name"),
        ("ESO INS GRAT1 ORDER", "{order:2d}", "Grating order number"),
        ("ESO INS GRAT1 WLEN", "{wlen:9.3f}", "[nm] Grating central wavelength"),
        ("ESO INS GRIS2 NAME", "'3T_K    '", "OPTIi name"),
        ("ESO INS OPTI2 NAME", "'LB>1M   '", "OPTIi name"),
        ("ESO INS OPTI3 NAME", "'OUT     '", "OPTIi name"),
        ("ESO OCS OBS MODE", "'3T      '", "Number of telescopes"),
        ("ESO OCS OBS SPECCONF", "'{speconf:<16.16}'", "Spectral configuration"),
        ("ESO OCS OBS TYPE", "'std     '", "Observation type"),
        ("ESO DET CHIP NAME", "'Hawaii-1'", "Detector chip name"),
        ("ESO DET DIT", "{dit:9.4f}", "[s] Integration time"),
        ("ESO DET NDIT", "{ndit:6d}", "Number of integrations"),
        ("ESO DET NTEL", "3", "Number of telescopes"),
        *_tracker_rows(),
    ]


def _pionier_rows(band: str) -> list[Row]:
    return [
        ("ESO INS MODE", "'OBSERV-H'", "Instrument mode used"),
        ("ESO INS OBC TYPE", "'4T-ABCD-H'", "Optical beam combiner type"),
        ("ESO INS FILT1 NAME", "'H       '", "Filter name"),
        ("ESO INS OPTI1 NAME", "'EMPTY   '", "OPTIi name"),
        ("ESO INS OPTI2 NAME", "'{opti2:<8.8}'", "OPTIi name"),
        ("ESO INS OPTI3 NAME", "'{opti3:<8.8}'", "OPTIi name"),
        ("ESO DET NAME", "'{detector:<10.10}'", "Name of detector system"),
        ("ESO DET CON OPMODE", "'NORMAL  '", "Operational mode"),
        ("ESO DET DIT", "{dit:12.6f}", "[s] Integration time"),
        ("ESO DET NDIT", "{ndit:7d}", "Number of integrations"),
        ("ESO DET SCAN ST", "T", "Delay line scan status"),
        ("ESO DET SCAN NREADS", "512", "Number of detector reads in scan"),
        ("ESO DET SUBWINS", "{subwins:3d}", "Number of sub-windows"),
        *_tracker_rows(),
    ]


def _gravity_rows(band: str) -> list[Row]:
    return [
        ("ESO INS MODE", "'PARALLEL'", "Instrument mode used"),
        ("ESO INS SPEC RES", "'{spec_res:<8.8}'", "Science camera spectral resolution"),
        ("ESO INS POLA MODE", "'{pola:<8.8}'", "Polarization mode"),
        ("ESO INS ROOF POS", "'{roof:<8.8}'", "Roof mirror position"),
        ("ESO INS SOBJ NAME", "'{sobj:<24.24}'", "Science object name"),
        ("ESO INS SOBJ MAG", "{mag:6.2f}", "Science object K-mag"),
        ("ESO INS SOBJ DIAMETER", "0.5", "[mas] Science object size"),
        ("ESO INS SOBJ SWAP", "'{swap:<8.8}'", "Science and fringe tracker swapped"),
        ("ESO INS SOBJ X", "{sobj_x:10.3f}", "[mas] RA offset from FT fibre"),
        ("ESO INS SOBJ Y", "{sobj_y:10.3f}", "[mas] DEC offset from FT fibre"),
        ("ESO FT POLA MODE", "'{pola:<8.8}'", "Fringe tracker polarization mode"),
        ("ESO FT RATE", "0.0009", "[s] Fringe tracker rate"),
        ("ESO FT ROBJ NAME", "'{robj:<24.24}'", "Fringe tracking object name"),
        ("ESO FT ROBJ MAG", "{mag:6.2f}", "Fringe tracking object K-mag"),
        ("ESO FT ROBJ ALPHA", "'{alpha:<14.14}'", "Fringe tracking object RA"),
        ("ESO FT ROBJ DELTA", "'{delta:<14.14}'", "Fringe tracking object DEC"),
        ("ESO DET1 SEQ1 DIT", "0.7", "[s] Integration time"),
        ("ESO DET2 SEQ1 DIT", "{dit:9.4f}", "[s] Integration time"),
        ("ESO DET2 NDIT", "{ndit:5d}", "Number of sub-integrations"),
        ("ESO DET3 SEQ1 DIT", "0.00085", "[s] Integration time"),
        *_tracker_rows(),
    ]


def _matisse_rows(band: str) -> list[Row]:
    chip = "HAWAII-2RG" if band == "LM" else "AQUARIUS"
    return [
        ("ESO INS MODE", "'HYBRID  '", "Instrument mode used"),
        ("ESO INS DIL NAME", "'{dil:<8.8}'", "L&M DIL name"),
        ("ESO INS DIN NAME", "'{din:<8.8}'", "N DIL name"),
        ("ESO INS FIL NAME", "'{fil:<8.8}'", "L&M FIL name"),
        ("ESO INS FIN NAME", "'OPEN    '", "N FIN name"),
        ("ESO INS PIL NAME", "'PHOTO   '", "PIL name"),
        ("ESO INS PIN NAME", "'INTER   '", "PIN name"),
        ("ESO INS BCD1 NAME", "'{bcd1:<8.8}'", "BCD device name"),
        ("ESO INS BCD2 NAME", "'{bcd2:<8.8}'", "BCD device name"),
        ("ESO INS POL NAME", "'OPEN    '", "POL name"),
        ("ESO SEQ DIL WL0", "{wl0:5.2f}", "[um] Central wavelength"),
        ("ESO CFG BCD MODE", "'{bcd:<8.8}'", "Beam commuting device"),
        ("ESO DET NAME", f"'MATISSE-{band:<2}'", "Name of detector system"),
        ("ESO DET CHIP NAME", f"'{chip:<10}'", "Detector chip name"),
        ("ESO DET NDIT", "{ndit:6d}", "Number of integrations"),
        ("ESO DET SEQ1 DIT", "{dit:10.6f}", "[s] Integration time"),
        ("ESO DET SEQ1 PERIOD", "{period:10.6f}", "[s] Period of the integrations"),
        ("ESO DET SEQ1 EXPTIME", "{elapsed:10.4f}", "[s] Elapsed time"),
        *_tracker_rows(),
    ]


def _spica_rows(band: str) -> list[Row]:
    return [
        ("INS MODE", "'{mode:<8.8}'", "Instrument mode used"),
        ("DET DIT", "{dit:9.4f}", "[s] Integration time"),
        ("DET NDIT", "{ndit:6d}", "Number of integrations"),
        ("DEL FT SENSOR", "'SPICAFT '", "Fringe tracker"),
        ("DEL FT STATUS", "'ON      '", "Fringe tracker status"),
    ]


def _tracker_rows() -> list[Row]:
    return [
        ("ESO DEL FT SENSOR", "'{ft_sensor:<8.8}'", "Fringe tracker sensor name"),
        ("ESO DEL FT STATUS", "'{ft_status:<8.8}'", "Fringe tracker status"),
        ("ESO COU GUID MODE", "'{guide:<14.14}'", "Coude guiding"),
    ]


_INSTRUMENT_ROWS = {
    "MIDI": _midi_rows,
    "AMBER": _amber_rows,
    "PIONIER": _pionier_rows,
    "GRAVITY": _gravity_rows,
    "MATISSE": _matisse_rows,
    "SPICA": _spica_rows,
}


def _iss_rows(eso: str, beams: int, era: Era, instrument: str) -> list[Row]:
    iss = f"{eso}ISS"
    return [
        (f"{iss} AIRM START", "{airmass_start:6.3f}", "Airmass at start"),
        (f"{iss} AIRM END", "{airmass_end:6.3f}", "Airmass at end"),
        (f"{iss} ALT", "{alt:7.3f}", "[deg] Altitude at start"),
        (f"{iss} AZ", "{az:7.3f}", "[deg] Azimuth at start, south through west"),
        (f"{iss} PARANG START", "{parang_start:8.3f}", "[deg] Parallactic angle at start"),
        (f"{iss} PARANG END", "{parang_end:8.3f}", "[deg] Parallactic angle at end"),
        *_ambient_rows(iss, era),
        (f"{iss} CHOP ST", "'{chop:<8}'", "Chopping status"),
        (f"{iss} FEED MODE", "'SINGLE_STS'", "Feeding mode"),
        (f"{iss} GEOELEV", "{site_altitude:9.2f}", "[m] Site elevation"),
        (f"{iss} GEOLAT", "{site_latitude:13.8f}", "[deg] Site latitude"),
        (f"{iss} GEOLON", "{site_longitude:13.8f}", "[deg] Site longitude"),
        (f"{iss} REF RA", "{ref_ra:12.3f}", "Reference Alpha, HHMMSS.sss"),
        (f"{iss} REF DEC", "{ref_dec:12.3f}", "Reference Delta, DDMMSS.sss"),
        (f"{iss} TRAK STATUS", "'NORMAL  '", "Tracking status"),
        *_array_rows(iss, beams, instrument),
    ]


def _ambient_rows(iss: str, era: Era) -> list[Row]:
    rows = [
        (f"{iss} AMBI FWHM START", "{fwhm_start:5.2f}", "[arcsec] Observatory seeing"),
        (f"{iss} AMBI FWHM END", "{fwhm_end:5.2f}", "[arcsec] Observatory seeing"),
        (f"{iss} AMBI TAU0 START", "{tau0_start:8.6f}", "[s] Coherence time"),
        (f"{iss} AMBI TAU0 END", "{tau0_end:8.6f}", "[s] Coherence time"),
        (f"{iss} AMBI TEMP", "{temperature:6.2f}", "[C] Observatory ambient temperature"),
        (f"{iss} AMBI RHUM", "{humidity:5.1f}", "[percent] Relative humidity"),
        (f"{iss} AMBI PRES", "{pressure:7.2f}", "[hPa] Observatory ambient pressure"),
        (f"{iss} AMBI LRATE", "{lapse_rate:8.4f}", "[K/m] Lapse rate"),
        (f"{iss} AMBI WINDDIR", "{wind_direction:6.1f}", "[deg] Wind direction"),
        (f"{iss} AMBI WINDSP", "{wind_speed:6.2f}", "[m/s] Observatory wind speed"),
    ]
    if era >= Era.FROM_2014:
        rows.append((f"{iss} AMBI IWV START", "{iwv_start:6.3f}", "[mm] Water vapour at start"))
        rows.append((f"{iss} AMBI IWV END", "{iwv_end:6.3f}", "[mm] Water vapour at end"))
    return rows


def _array_rows(iss: str, beams: int, instrument: str) -> list[Row]:
    rows: list[Row] = [(f"{iss} CONF NTEL", f"{beams}", "Number of telescopes used")]
    for i in range(1, beams + 1):
        rows += [
            (f"{iss} CONF STATION{i}", f"'{{station{i}:<8}}'", f"Station of telescope {i}"),
            (f"{iss} CONF INPUT{i}", str(2 * i - 1), "Input channel in lab"),
            (f"{iss} CONF T{i}NAME", f"'{{telescope{i}:<8}}'", "Telescope name"),
        ]
        if instrument == "SPICA":
            rows.append((f"{iss} CONF POP{i}", f"{{pop{i}:1d}}", "Pipe of Pan"))
            continue
        rows += [
            (f"{iss} CONF T{i}X", f"{{t{i}x:12.6f}}", "[m] Telescope X, minus east"),
            (f"{iss} CONF T{i}Y", f"{{t{i}y:12.6f}}", "[m] Telescope Y, minus north"),
            (f"{iss} CONF T{i}Z", f"{{t{i}z:12.6f}}", "[m] Telescope Z"),
        ]
    for i, j in combinations(range(1, beams + 1), 2):
        angle = "7.1f" if f"{i}{j}" in ("12", "13", "23") else "7.3f"
        rows += [
            (f"{iss} PBL{i}{j} START", f"{{length{i}{j}_start:8.3f}}", f"[m] Projected baseline T{i} T{j}"),
            (f"{iss} PBL{i}{j} END", f"{{length{i}{j}_end:8.3f}}", f"[m] Projected baseline T{i} T{j}"),
            (f"{iss} PBLA{i}{j} START", f"{{angle{i}{j}_start:{angle}}}", f"[deg] Orientation T{i} T{j}"),
            (f"{iss} PBLA{i}{j} END", f"{{angle{i}{j}_end:{angle}}}", f"[deg] Orientation T{i} T{j}"),
        ]
    return rows
